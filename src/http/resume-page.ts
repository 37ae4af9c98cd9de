/** The pages behind a resume link: a form without scripts, which asks nobody but this server. */

import { createHash } from "node:crypto";
import type { OpenLink, LinkChoice } from "../core/resume-links.ts";
import type { AppError, ErrorCode } from "../errors.ts";
import { escapeHtml } from "./html.ts";

const style = `
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { margin: 0; }
main { box-sizing: border-box; max-width: 40rem; margin: 0 auto; padding: 2rem 1rem; }
h1 { font-size: 1.4rem; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; }
pre { overflow: auto; max-height: 60vh; padding: 1rem; border: 1px solid; border-radius: .5rem; }
label { display: block; margin-bottom: .5rem; }
textarea { box-sizing: border-box; width: 100%; min-height: 6rem; padding: .5rem; font: inherit; }
button { margin: .5rem .5rem .5rem 0; padding: .6rem 1.2rem; font: inherit; cursor: pointer; }
small { display: block; margin-top: 1.5rem; }
`;

/** Nothing from anywhere, no scripts, and the form goes to where the page came from. */
const contentSecurityPolicy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'`,
  "img-src data:",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join("; ");

/** Of all that is answered below a link. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": contentSecurityPolicy,
  "cross-origin-opener-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "x-robots-tag": "noindex, nofollow",
  "cache-control": "no-store",
};

export function questionPage({ value, message, choices, expires_at }: OpenLink): Response {
  const told = message === null ? "" : `<p class="text" dir="auto">${escapeHtml(message)}</p>`;
  return htmlPage(
    200,
    "Your answer is wanted",
    `${told}
    ${shownValue(value)}
    <form method="post">
      ${choices === null ? TEXT_FIELD : choices.map(button).join("\n      ")}
    </form>
    <small>This link is good for one answer, until ${shownTime(expires_at)}.</small>`,
  );
}

const TEXT_FIELD = `<label for="text">Your answer</label>
      <textarea id="text" name="text" dir="auto" required></textarea>
      <button>Send</button>`;

function button({ label }: LinkChoice, index: number): string {
  return `<button name="choice" value="${index}" dir="auto">${escapeHtml(label)}</button>`;
}

/** More than anybody reads in a page. */
const MAX_CHARACTERS = 50_000;

function shownValue(value: unknown): string {
  if (value === null || value === undefined || value === "") return "";
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  const rest = text.length > MAX_CHARACTERS ? "\n… (there is more, which is not shown)" : "";
  const shown = escapeHtml(text.slice(0, MAX_CHARACTERS) + rest);
  return typeof value === "string"
    ? `<p class="text" dir="auto">${shown}</p>`
    : `<pre tabindex="0" aria-label="What is asked" dir="auto">${shown}</pre>`;
}

function shownTime(time: Date): string {
  const [day = "", rest = ""] = time.toISOString().split("T");
  return `<time datetime="${time.toISOString()}">${day}, ${rest.slice(0, 5)} UTC</time>`;
}

export function donePage(): Response {
  return htmlPage(202, "Thank you", "<p>Your answer has been taken. You can close this page.</p>");
}

const TITLES: Partial<Record<ErrorCode, string>> = {
  link_used: "Already answered",
  link_expired: "Too late",
  link_void: "Nothing to answer any more",
  not_found: "There is nothing here",
  thread_busy: "Just a moment",
};

export function failurePage({ code, status, message, retryAfterSeconds }: AppError): Response {
  const title = TITLES[code] ?? (status >= 500 ? "That did not work" : "That cannot be the answer");
  const hint =
    status >= 500 || code === "thread_busy" ? "<p>The link is still good: try again soon.</p>" : "";
  const response = htmlPage(status, title, `<p class="text" dir="auto">${escapeHtml(message)}.</p>${hint}`);
  if (retryAfterSeconds !== undefined) response.headers.set("retry-after", String(retryAfterSeconds));
  return response;
}

function htmlPage(status: number, title: string, content: string): Response {
  const html = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="robots" content="noindex">
    <title>${escapeHtml(title)}</title>
    <link rel="icon" href="data:,">
    <style>${style}</style>
  </head>
  <body>
    <main>
    <h1>${escapeHtml(title)}</h1>
    ${content}
    </main>
  </body>
</html>
`;
  return new Response(html, { status, headers: { "content-type": "text/html; charset=utf-8" } });
}
