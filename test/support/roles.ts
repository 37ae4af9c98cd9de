/** The roles of docs/database.md, made with the SQL that stands there. */

import { readFile } from "node:fs/promises";

/** What is executed is what people copy. */
export interface DocumentedSql {
  /** By an administrator, before there is a schema. */
  readonly roles: string;
  /** By the role that migrates, when there is one. */
  readonly grants: string;
  /** By the same, for a store that finds by meaning. */
  readonly vectors: string;
}

/** With other names for the roles and the database, as tests have many on one server. */
export async function documentedSql(names: {
  readonly migrate: string;
  readonly app: string;
  readonly database: string;
}): Promise<DocumentedSql> {
  const text = await readFile(new URL("../../docs/database.md", import.meta.url), "utf8");
  const block = (name: string): string => {
    const [, sql] = new RegExp(`\`\`\`sql\n(-- ${name}\n[^\`]*)\`\`\``).exec(text) ?? [];
    if (sql === undefined) throw new Error(`docs/database.md has no block "-- ${name}" any more`);
    return sql
      .replaceAll("langgraph_migrate", names.migrate)
      .replaceAll("langgraph_app", names.app)
      .replaceAll(/\bdatabase agents\b/g, `database ${names.database}`);
  };
  return {
    roles: block("The roles, by an administrator"),
    grants: block("The rights, by langgraph_migrate"),
    vectors: block("The vectors, by langgraph_migrate"),
  };
}
