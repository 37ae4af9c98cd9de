/** The prose of a markdown document: what a person would read aloud, without code, tables, pictures and link targets. */
import { Lexer, Parser, Renderer, type Token, type Tokens } from "marked";

/** Paragraphs and list items in reading order, very long ones in pieces. Plain text is markdown too. */
export function paragraphs(markdown: string): string[] {
  return prose(markdown)
    .split("\n\n")
    .map((text) =>
      text
        .replace(/^\[!\w+\]/, "")
        .replace(/\s+/g, " ")
        .trim(),
    )
    .flatMap((text) => text.match(/.{1,10000}(?!\S)|.{1,10000}/gu) ?? []);
}

/** A document that is nested too deeply for the parser is taken as plain text. */
function prose(markdown: string): string {
  try {
    return new Parser({ renderer: new ProseRenderer() }).parse(new PatientLexer().lex(markdown));
  } catch (error) {
    if (error instanceof RangeError) return markdown;
    throw error;
  }
}

/** Leaves the markup in paragraphs that are too long for it: the time to find it grows with the square of the length. */
class PatientLexer extends Lexer {
  override inlineTokens(text: string, tokens: Token[] = []): Token[] {
    if (text.length <= 20_000) return super.inlineTokens(text, tokens);
    tokens.push({ type: "text", raw: text, text, escaped: false });
    return tokens;
  }
}

const entities: Record<string, string> = { nbsp: " ", amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };

/** Renders to text where marked renders to HTML; paragraphs end with an empty line. */
class ProseRenderer extends Renderer {
  override code = () => "";
  override table = () => "";
  override html = () => "";
  override image = () => "";
  override heading = () => "";
  override hr = () => "";
  override checkbox = () => "";
  override br = () => " ";
  override strong = ({ tokens }: Tokens.Strong) => this.parser.parseInline(tokens);
  override em = ({ tokens }: Tokens.Em) => this.parser.parseInline(tokens);
  override del = ({ tokens }: Tokens.Del) => this.parser.parseInline(tokens);
  override link = ({ tokens }: Tokens.Link) => this.parser.parseInline(tokens);
  override codespan = ({ text }: Tokens.Codespan) => text;
  override paragraph = ({ tokens }: Tokens.Paragraph) => `${this.parser.parseInline(tokens)}\n\n`;
  override blockquote = ({ tokens }: Tokens.Blockquote) => this.parser.parse(tokens);
  override list = ({ items }: Tokens.List) => items.map((item) => this.listitem(item)).join("");
  override listitem = ({ tokens }: Tokens.ListItem) => `${this.parser.parse(tokens)}\n\n`;

  override text(token: Tokens.Text | Tokens.Escape): string {
    if ("tokens" in token && token.tokens) return `${this.parser.parseInline(token.tokens)}\n\n`;
    return token.text.replace(
      /&(nbsp|amp|lt|gt|quot|#39);/g,
      (entity, name: string) => entities[name] ?? entity,
    );
  }
}
