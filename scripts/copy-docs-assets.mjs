/**
 * Puts the library behind `GET /api/docs` (src/http/docs.ts) into a folder, ready to serve: brotli only, which makes
 * 1.9 MB of files 0.4, and with the hash of the content in the name, so that a browser may keep them for ever.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants } from "node:zlib";

const source = new URL("./", import.meta.resolve("swagger-ui-dist/package.json"));

const files = ["swagger-ui-bundle.js", "swagger-ui.css"];

/** The package is Apache-2.0: whoever passes the files on passes these on. */
const licences = ["NOTICE", "LICENSE", "swagger-ui-bundle.js.LICENSE.txt"];

/** Makes the folder hold these files and no older ones of ours; what is there already is not written again. */
export async function copyDocsAssets(targetDir) {
  const wanted = await assets();
  await mkdir(targetDir, { recursive: true });
  const present = await readdir(targetDir);
  const stale = present.filter((name) => name.startsWith("swagger-ui.") && !wanted.has(name));
  await Promise.all(stale.map((name) => rm(join(targetDir, name))));
  const missing = [...wanted].filter(([name]) => !present.includes(name));
  await Promise.all(
    missing.map(async ([name, content]) => writeFile(join(targetDir, name), await content())),
  );
}

/** Name to content. Compressed when first asked for, then kept: a build fills several folders. */
let made;
function assets() {
  made ??= (async () => {
    const texts = await Promise.all(licences.map(read));
    const entries = await Promise.all(files.map(asset));
    return new Map([...entries, ["swagger-ui.LICENSE.txt", () => texts.join("\n\n")]]);
  })();
  return made;
}

async function asset(file) {
  const content = await read(file);
  const hash = createHash("sha256").update(content).digest("hex").slice(0, 12);
  const extension = file.slice(file.lastIndexOf("."));
  let compressed;
  return [`swagger-ui.${hash}${extension}.br`, () => (compressed ??= compress(content))];
}

/** Quality 10: the last one takes 2.5 seconds instead of 1 and saves 2 % more. */
function compress(content) {
  const params = { [constants.BROTLI_PARAM_QUALITY]: 10, [constants.BROTLI_PARAM_SIZE_HINT]: content.length };
  return promisify(brotliCompress)(content, { params });
}

function read(file) {
  return readFile(new URL(file, source));
}
