/**
 * The page behind `GET /api/docs`: Swagger UI over our own `openapi.json`. It asks nobody but this server, and its
 * files come from the folder `assets`, which the build fills (scripts/copy-docs-assets.mjs).
 */
import { createHash } from "node:crypto";
import { readFile, readdir } from "node:fs/promises";
import { promisify } from "node:util";
import { brotliDecompress } from "node:zlib";
import { escapeHtml } from "./html.ts";

const folder = new URL("./assets/", import.meta.url);

/**
 * Swagger UI with what would leave the server turned off: the badge of validator.swagger.io. Keys stay in the memory of
 * the page. The page's own query goes along to the document, so that `docs?code=<function key>` opens both.
 */
const script = `"use strict";
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  validatorUrl: null,
  persistAuthorization: false,
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  tryItOutEnabled: true,
  requestInterceptor(request) {
    if (request.loadSpec) request.url += location.search;
    return request;
  },
});
`;
const scriptName = `start.${createHash("sha256").update(script).digest("hex").slice(0, 12)}.js`;

/** Images may be `data:` as Swagger UI's style sheet carries its icons; nothing inline, nothing from elsewhere. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Names everything relative to its own address, `<prefix>/docs` without a slash at the end: so any prefix will do. */
export async function docsPage(options: { readonly title: string }): Promise<Response> {
  const names = await storedNames();
  const tags = names.map((name) =>
    name.endsWith(".css")
      ? `<link rel="stylesheet" href="docs/${name}">`
      : `<script defer src="docs/${name}"></script>`,
  );
  const html = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${escapeHtml(options.title)}</title>
    <link rel="icon" href="data:,">
    ${tags.join("\n    ")}
    <script defer src="docs/${scriptName}"></script>
  </head>
  <body>
    <div id="docs"></div>
    <noscript><a href="openapi.json">openapi.json</a></noscript>
  </body>
</html>
`;
  return new Response(html, {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": contentSecurityPolicy,
      "cross-origin-opener-policy": "same-origin",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "cache-control": "no-cache",
    },
  });
}

/**
 * One file that the page names, by the part of its address after `docs/`; null for any other name.
 * `acceptEncoding` is the request's header: the body is brotli for those who take it.
 */
export async function docsAsset(name: string, acceptEncoding?: string | null): Promise<Response | null> {
  if (name === scriptName) return assetResponse(name, script);
  if (!(await storedNames()).includes(name)) return null;
  const compressed = await readFile(new URL(`${name}.br`, folder));
  if (takesBrotli(acceptEncoding ?? "")) return assetResponse(name, compressed, { "content-encoding": "br" });
  return assetResponse(name, await promisify(brotliDecompress)(compressed));
}

/** The folder is the list of what is served: `swagger-ui.<hash>.<js or css>`, stored with `.br` at the end. */
async function storedNames(): Promise<string[]> {
  const names = (await readdir(folder)).flatMap(
    (file) => /^(swagger-ui\.[0-9a-f]+\.(?:js|css))\.br$/.exec(file)?.[1] ?? [],
  );
  if (names.length === 0)
    throw new Error(`No files of the docs page in ${folder.href}: the build puts them there.`);
  return names;
}

function assetResponse(
  name: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers?: HeadersInit,
): Response {
  const response = new Response(body, headers === undefined ? {} : { headers });
  response.headers.set(
    "content-type",
    name.endsWith(".css") ? "text/css; charset=utf-8" : "text/javascript; charset=utf-8",
  );
  response.headers.set("cache-control", "public, max-age=31536000, immutable");
  response.headers.set("vary", "accept-encoding");
  response.headers.set("x-content-type-options", "nosniff");
  return response;
}

function takesBrotli(acceptEncoding: string): boolean {
  return acceptEncoding.split(",").some((part) => {
    const [coding, weight = "1"] = part.toLowerCase().split(/\s*;\s*q=/);
    return coding?.trim() === "br" && Number(weight) > 0;
  });
}
