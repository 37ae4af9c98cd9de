/**
 * Finds the sentences that say most of a text: those whose words are closest to the words of the whole (the centroid
 * method of Radev et al., "Centroid-based summarization of multiple documents", 2004), earlier ones first among equals.
 * Words are weighted by BM25, so that frequent ones count and those found in every sentence do not.
 */
// oxlint-disable typescript/unbound-method -- wink-nlp declares its plain functions as methods
import model from "wink-eng-lite-web-model";
import winkNlp, { type Bow } from "wink-nlp";
import bm25Vectorizer from "wink-nlp/utilities/bm25-vectorizer.js";
import similarity from "wink-nlp/utilities/similarity.js";

const nlp = winkNlp(model, ["pos"]);
const { its } = nlp;
const sentenceSegmenter = new Intl.Segmenter("en", { granularity: "sentence" });
const wordSegmenter = new Intl.Segmenter("en", { granularity: "word" });

const maxQuotedLength = 400;
const maxTerms = 8;

export interface Ranking {
  readonly terms: string[];
  /** In the order of the text. */
  readonly sentences: string[];
}

interface Sentence {
  readonly text: string;
  /** Words that carry meaning, in their dictionary form. */
  readonly words: string[];
  readonly nouns: string[];
}

export function keySentencesAndTerms(paragraphs: readonly string[], maxSentences: number): Ranking {
  const all = paragraphs.flatMap((paragraph) =>
    Array.from(sentenceSegmenter.segment(paragraph), ({ segment }) => parse(segment)),
  );
  const complete = all.filter(({ text, words }) => words.length >= 4 && /[.!?…。！？।؟]\P{L}*$/u.test(text));
  return {
    terms: mostFrequent(all.flatMap(({ nouns }) => nouns)),
    sentences: mostCentral(complete.length > 0 ? complete : all, maxSentences),
  };
}

function parse(segment: string): Sentence {
  const text = segment.trim();
  if (!/\p{Script=Latin}/u.test(text)) return parseForeign(text);
  const tokens = nlp.readDoc(text.replace(/\S{200,}/g, " ")).tokens(); // no word is as long; reading it is slow
  const words = tokens.filter((token) => token.out(its.type) === "word" && !token.out(its.stopWordFlag));
  const nouns = words.filter((token) => ["NOUN", "PROPN"].includes(token.out(its.pos)));
  return { text, words: words.out(its.lemma), nouns: nouns.out(its.lemma).filter((noun) => noun.length > 2) };
}

/** The model knows Latin letters only: of other scripts, the longer words are taken for those with meaning. */
function parseForeign(text: string): Sentence {
  const words = Array.from(wordSegmenter.segment(text), ({ segment }) => segment.toLowerCase());
  const longer = words.filter(
    (word) => /^\p{L}{2,}/u.test(word) && (word.length > 3 || /\p{Script=Han}/u.test(word)),
  );
  return { text, words: longer, nouns: longer };
}

function mostFrequent(nouns: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const noun of nouns) counts.set(noun, (counts.get(noun) ?? 0) + 1);
  return Array.from(counts)
    .sort(([, a], [, b]) => b - a)
    .slice(0, maxTerms)
    .map(([noun]) => noun);
}

function mostCentral(sentences: readonly Sentence[], count: number): string[] {
  const vectorizer = bm25Vectorizer();
  for (const { words } of sentences) vectorizer.learn(words);
  const vectors = sentences.map(({ words }) => vectorizer.bowOf(words));
  const centroid = centroidOf(vectors);

  const ranked = vectors
    .map((vector, position) => ({
      vector,
      position,
      score: similarity.bow.cosine(vector, centroid) * lead(position),
    }))
    .sort((a, b) => b.score - a.score);
  const chosen: typeof ranked = [];
  for (const candidate of ranked) {
    if (chosen.length === count) break;
    const repeats = chosen.some(({ vector }) => similarity.bow.cosine(vector, candidate.vector) > 0.5);
    if (!repeats) chosen.push(candidate);
  }
  return chosen
    .sort((a, b) => a.position - b.position)
    .map(({ position }) => sentences[position]?.text ?? "")
    .map((text) => (text.length > maxQuotedLength ? `${text.slice(0, maxQuotedLength - 1)}…` : text));
}

/** Technical writing says first what it is about: the first sentence counts twice, the second one and a half times. */
function lead(position: number): number {
  return 1 + 1 / (position + 1);
}

/** The hundred heaviest words of all sentences together. */
function centroidOf(vectors: readonly Bow[]): Bow {
  const weights = new Map<string, number>();
  for (const vector of vectors) {
    for (const [word, weight] of Object.entries(vector)) weights.set(word, (weights.get(word) ?? 0) + weight);
  }
  return Object.fromEntries(
    Array.from(weights)
      .sort(([, a], [, b]) => b - a)
      .slice(0, 100),
  );
}
