/** What the Platform's clients ask of a server itself: whether it is there, and what it can do. */

import { z } from "zod";
import { VERSION } from "../version.ts";
import { parse } from "./body.ts";
import { json } from "./respond.ts";
import type { Route } from "./router.ts";
import { queryOf } from "./query.ts";

export interface InfoDeps {
  /** One query. @throws AppError `unavailable` */
  readonly pingDatabase: () => Promise<void>;
}

const OkQuery = z.strictObject({
  check_db: z
    .stringbool({ truthy: ["1", "true"], falsy: ["0", "false"] })
    .default(false)
    .meta({ enum: ["", "0", "1", "false", "true"], description: "Whether the database is asked, too." }),
});

/** Of what official clients look for here. */
const FLAGS = { assistants: true, crons: true, strict_resume: true, stream_namespaces: true };

export function infoRoutes({ pingDatabase }: InfoDeps): readonly Route[] {
  const common = {
    method: "GET",
    authLevel: "anonymous",
    permission: "public",
    isRateLimited: false,
  } as const;
  return [
    {
      ...common,
      path: "/ok",
      docs: {
        operationId: "ok",
        summary: "Whether the server answers",
        tag: "system",
        query: OkQuery,
        responses: {
          200: { description: "It does", schema: z.object({ ok: z.literal(true) }) },
          503: "The database cannot be reached",
        },
      },
      handle: async ({ request }) => {
        const { check_db } = await parse(OkQuery, queryOf(request));
        if (check_db) await pingDatabase();
        return json({ ok: true });
      },
    },
    {
      ...common,
      path: "/info",
      docs: {
        operationId: "info",
        summary: "What the server is and can do",
        tag: "system",
        responses: {
          200: {
            description: "The server",
            schema: z.object({
              version: z.string(),
              context: z.literal("js"),
              flags: z.record(z.string(), z.boolean()),
            }),
          },
        },
      },
      handle: () => json({ version: VERSION, context: "js", flags: FLAGS }),
    },
  ];
}
