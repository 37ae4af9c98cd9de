import { access, readdir, readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { z } from "zod";
import { VERSION } from "../src/version.ts";

const root = new URL("../", import.meta.url);

const Manifest = z.object({
  version: z.string(),
  main: z.string(),
  bin: z.record(z.string(), z.string()),
  exports: z.record(z.string(), z.union([z.string(), z.object({ types: z.string(), default: z.string() })])),
  dependencies: z.record(z.string(), z.string()),
});
const manifest = Manifest.parse(JSON.parse(await readFile(new URL("package.json", root), "utf8")));

/** The names that an entry exports, as it is built and published. */
async function namesOf(entry: string): Promise<string[]> {
  const target = manifest.exports[entry];
  const file = typeof target === "object" ? target.default : "none";
  const module: object = await import(new URL(file, root).href);
  return Object.keys(module).sort();
}

test("the version that the code tells is the package's", () => {
  expect(VERSION).toBe(manifest.version);
});

test("what package.json names is there after the build", async () => {
  const exported = Object.values(manifest.exports).map((target) =>
    typeof target === "string" ? [target] : Object.values(target),
  );
  const files = [manifest.main, ...Object.values(manifest.bin), ...exported.flat()];
  for (const file of files) await access(new URL(file, root));
});

test("langgraph-functions exports the app", async () => {
  expect(await namesOf(".")).toMatchInlineSnapshot(`
    [
      "AppError",
      "LangGraphApp",
      "apiKeys",
      "jwt",
    ]
  `);
});

test("langgraph-functions/azure exports the adapter", async () => {
  expect(await namesOf("./azure")).toMatchInlineSnapshot(`
    [
      "serveOnAzure",
    ]
  `);
});

test("langgraph-functions/aws exports the adapter", async () => {
  expect(await namesOf("./aws")).toMatchInlineSnapshot(`
    [
      "serveOnLambda",
    ]
  `);
});

test("langgraph-functions/node exports what mounts the app in a server of the user's own", async () => {
  expect(await namesOf("./node")).toMatchInlineSnapshot(`
    [
      "nodeHandler",
    ]
  `);
});

test("langgraph-functions/local exports the local server and its Postgres", async () => {
  expect(await namesOf("./local")).toMatchInlineSnapshot(`
    [
      "runLocally",
      "serveLocally",
      "startEmbeddedPostgres",
    ]
  `);
});

test("langgraph-functions/project exports what a built project is made with", async () => {
  expect(await namesOf("./project")).toMatchInlineSnapshot(`
    [
      "projectApp",
    ]
  `);
});

test("the program's own dependencies are in no bundle", async () => {
  const chunks = (await readdir(new URL("dist/functions", root))).filter((name) => name.endsWith(".js.map"));
  const maps = await Promise.all(
    chunks.map((name) => readFile(new URL(`dist/functions/${name}`, root), "utf8")),
  );
  expect(maps.some((map) => /node_modules\/hono\//.test(map))).toBe(true);
  expect(maps.some((map) => /node_modules\/(esbuild|tsx)\//.test(map))).toBe(false);
});

test("the SDK of the Model Context Protocol is in a chunk of its own", async () => {
  const chunks = (await readdir(new URL("dist/functions", root))).filter((name) => name.endsWith(".js.map"));
  const withSdk = [];
  for (const name of chunks) {
    const map = await readFile(new URL(`dist/functions/${name}`, root), "utf8");
    if (map.includes("node_modules/@modelcontextprotocol/")) withSdk.push(name.replace(/-[^-]*$/, ""));
  }
  expect(withSdk).toEqual(["mcp-server"]);
});

test("every dependency is used by the source", async () => {
  const files = await readdir(new URL("src", root), { recursive: true });
  const sources = files
    .filter((name) => name.endsWith(".ts"))
    .map((name) => readFile(new URL(`src/${name}`, root), "utf8"));
  const source = (await Promise.all(sources)).join("\n");
  const isUsed = (name: string) => new RegExp(String.raw`(from |import\()"${name}["/]`).test(source);
  expect(Object.keys(manifest.dependencies).filter((name) => !isUsed(name))).toEqual([]);
});
