/** What is found in a document, and how the findings are written down. */
import { z } from "zod";

export const Digest = z.object({
  index: z.number(),
  title: z.string(),
  terms: z.array(z.string()),
  sentences: z.array(z.string()),
});
export type Digest = z.infer<typeof Digest>;

export function markdownReport(digests: readonly Digest[]): string {
  const heading = `# Digest of ${digests.length} ${digests.length === 1 ? "document" : "documents"}`;
  return [heading, ...digests.map(section)].join("\n\n") + "\n";
}

function section({ title, terms, sentences }: Digest): string {
  if (sentences.length === 0) return `## ${title}\n\n_Nothing to read._`;
  const keyTerms = terms.length > 0 ? `_${terms.join(", ")}_\n\n` : "";
  return `## ${title}\n\n${keyTerms}${sentences.map((sentence) => `- ${sentence}`).join("\n")}`;
}
