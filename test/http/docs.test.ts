import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, test } from "vitest";
import { docsAsset, docsPage } from "../../src/http/docs.ts";

/** By address, as the script has no types. */
const { copyDocsAssets }: { copyDocsAssets: (targetDir: string) => Promise<void> } = await import(
  new URL("../../scripts/copy-docs-assets.mjs", import.meta.url).href
);

/** As the build does; nothing is written where the files are there already. */
beforeAll(() => copyDocsAssets(fileURLToPath(new URL("../../src/http/assets/", import.meta.url))), 30_000);

/** Every address that the page names, as a browser at `/api/docs` reads it. */
async function addresses(): Promise<URL[]> {
  const html = await (await docsPage({ title: "Agents" })).text();
  const named = [
    ...html.matchAll(/\s(?:src|href|action|srcset|data)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+))/gi),
  ];
  return named.map(
    (match) => new URL(match[1] ?? match[2] ?? match[3] ?? "", "https://host.example/api/docs"),
  );
}

async function assetNames(): Promise<string[]> {
  const paths = (await addresses()).map((address) => address.pathname);
  return paths.filter((path) => path.startsWith("/api/docs/")).map((path) => path.slice("/api/docs/".length));
}

test("the page names nothing but files of its own and the document", async () => {
  const named = (await addresses()).map((address) => address.href);
  expect(named.length).toBe(5);
  for (const address of named) {
    expect(address).toMatch(/^(data:,|https:\/\/host\.example\/api\/(docs\/[a-z0-9.-]+|openapi\.json))$/);
  }
});

test("the page runs under a policy without inline code and without other hosts", async () => {
  const page = await docsPage({ title: "Agents" });
  const html = await page.clone().text();
  expect(page.headers.get("content-security-policy")).toBe(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  );
  expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect(page.headers.get("cache-control")).toBe("no-cache");
  expect(page.headers.get("referrer-policy")).toBe("no-referrer");
  expect(page.headers.get("x-content-type-options")).toBe("nosniff");
  expect(html).not.toMatch(/<style|\sstyle=|\son[a-z]+\s*=|<script(?![^>]*\ssrc=)|javascript:|<base/i);
});

test("a title cannot become markup", async () => {
  const html = await (await docsPage({ title: `</title><script src="x">&"'` })).text();
  expect(html).toContain("<title>&#60;/title&#62;&#60;script src=&#34;x&#34;&#62;&#38;&#34;&#39;</title>");
});

test("every file that the page names is there, with its type, to be kept for ever", async () => {
  const names = await assetNames();
  expect(names.length).toBe(3);
  for (const name of names) {
    const asset = await docsAsset(name);
    expect(asset?.status).toBe(200);
    expect(asset?.headers.get("content-type")).toBe(
      name.endsWith(".css") ? "text/css; charset=utf-8" : "text/javascript; charset=utf-8",
    );
    expect(asset?.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    expect(asset?.headers.get("content-encoding")).toBeNull();
    expect(asset?.headers.get("x-content-type-options")).toBe("nosniff");
    expect(await asset?.text()).toMatch(/SwaggerUIBundle|\.swagger-ui/);
  }
});

test("brotli goes to those who take it, and holds the same file", async () => {
  const name = (await assetNames()).find((candidate) => candidate.endsWith(".css")) ?? "";
  const plain = await (await docsAsset(name))?.bytes();
  const { brotliDecompressSync } = await import("node:zlib");
  for (const taking of ["br", "gzip, deflate, br, zstd", "gzip;q=0.5, BR;q=1.0"]) {
    const asset = await docsAsset(name, taking);
    expect(asset?.headers.get("content-encoding")).toBe("br");
    expect(asset?.headers.get("vary")).toBe("accept-encoding");
    expect(
      brotliDecompressSync((await asset?.bytes()) ?? new Uint8Array()).equals(plain ?? new Uint8Array()),
    ).toBe(true);
  }
  for (const refusing of [null, "", "gzip", "gzip, br;q=0", "brotli"]) {
    expect((await docsAsset(name, refusing))?.headers.get("content-encoding")).toBeNull();
  }
});

test("any other name is unknown", async () => {
  const known = await assetNames();
  const others = [
    "",
    ".",
    "..",
    "../docs.ts",
    "swagger-ui.js",
    "swagger-ui.LICENSE.txt",
    "constructor",
    "%2e%2e/docs.ts",
  ];
  for (const name of [...others, ...known.map((name) => `${name}.br`), ...known.map((name) => `./${name}`)]) {
    expect(await docsAsset(name, "br")).toBeNull();
  }
});

test("a build leaves the files of one version and its licence, and touches nothing else", async () => {
  const folder = await mkdtemp(join(tmpdir(), "docs-assets-"));
  try {
    await writeFile(join(folder, "swagger-ui.000000000000.js.br"), "an older version");
    await writeFile(join(folder, "other.txt"), "not ours");
    await copyDocsAssets(folder);
    const names = (await readdir(folder)).sort();
    expect(names.map((name) => name.replace(/[0-9a-f]{12}/, "<hash>")).sort()).toEqual([
      "other.txt",
      "swagger-ui.<hash>.css.br",
      "swagger-ui.<hash>.js.br",
      "swagger-ui.LICENSE.txt",
    ]);
    expect(names).not.toContain("swagger-ui.000000000000.js.br");
    await copyDocsAssets(folder);
    expect((await readdir(folder)).sort()).toEqual(names);
  } finally {
    await rm(folder, { recursive: true });
  }
});
