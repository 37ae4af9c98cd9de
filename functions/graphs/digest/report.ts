/** Writes the digests down as one markdown document. */
import type { Digest } from "../digest.ts";

export function markdownReport(digests: readonly Digest[]): string {
  const heading = `# Digest of ${digests.length} ${digests.length === 1 ? "document" : "documents"}`;
  return [heading, ...digests.map(section)].join("\n\n") + "\n";
}

function section({ title, words, terms, sentences }: Digest): string {
  if (sentences.length === 0) return `## ${title}\n\n_Nothing to read._`;
  const facts = [
    `${words.toLocaleString("en")} words`,
    ...(terms.length > 0 ? [`key terms: ${terms.join(", ")}`] : []),
  ];
  return `## ${title}\n\n_${facts.join("; ")}_\n\n${sentences.map((sentence) => `- ${sentence}`).join("\n")}`;
}
