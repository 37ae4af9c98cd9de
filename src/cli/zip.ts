/** A folder as one file, which only changes when the folder does: Terraform and CloudFormation go by its hash. */

import { readdir, readFile, writeFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";

/** The earliest that the format can tell. It has no time zone, and so is the same everywhere. */
const TIME = new Date(1980, 0, 1);
const UNIX = 3;
/** A file that everybody may read: functions run as somebody else. */
const MODE = 0o100644 << 16;

/** @returns the file's size, in bytes */
export async function zipFolder(folder: string, file: string): Promise<number> {
  const { zipSync } = await import("fflate");
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map(({ name, parentPath }) => join(parentPath, name))
    .toSorted();
  const files = await Promise.all(
    paths.map(
      async (path) =>
        [relative(folder, path).replaceAll(sep, "/"), new Uint8Array(await readFile(path))] as const,
    ),
  );
  const zip = zipSync(Object.fromEntries(files), { mtime: TIME, os: UNIX, attrs: MODE });
  await writeFile(file, zip);
  return zip.length;
}
