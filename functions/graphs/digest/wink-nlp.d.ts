/** Corrects what wink-nlp's own types say of the parts that are used here. */

declare module "wink-nlp" {
  export interface ItsHelpers {
    // Declared with a parameter that `out(its.lemma)` does not accept.
    lemma(index: number, rdd: unknown): string;
  }
}

// Declared without the file extension that Node asks for when an ES module imports them.
declare module "wink-nlp/utilities/bm25-vectorizer.js" {
  export { default } from "wink-nlp/utilities/bm25-vectorizer";
}
declare module "wink-nlp/utilities/similarity.js" {
  export { default } from "wink-nlp/utilities/similarity";
}
