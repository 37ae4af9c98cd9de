import { LangGraphApp } from "langgraph-functions";
import { testDatabase } from "./database.ts";

/** What is logged by a tick that has nothing to do. */
export async function idleTickLines(): Promise<readonly object[]> {
  await using database = await testDatabase();
  const lines: object[] = [];
  const keep = (fields: object, msg: string) => void lines.push({ ...fields, msg });
  await using app = new LangGraphApp({ logger: { info: keep, warn: keep, error: keep } });
  const settings = {
    database: { url: database.url, poolSize: 1, migrate: false },
    logLevel: "silent",
  } as const;
  await app.doors({ settings }).tick({ signal: new AbortController().signal, authLevel: "admin" });
  return lines;
}
