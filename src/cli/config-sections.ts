/** The sections `store`, `checkpointer` and `webhooks` of langgraph.json, as options of an app. */

import { z } from "zod";
import type { AppOptions } from "../options.ts";
import { HEADER_VARIABLE, type ProjectOptions } from "../project/options.ts";
import { isReference } from "./reference.ts";
import { unsupported } from "./unsupported.ts";

const anything = z.unknown().optional();
const Minutes = z.number().positive("must be a number of minutes above 0");

export const AuthSection = z.strictObject({
  path: isReference.optional(),
  disable_studio_auth: z.boolean().optional(),
  openapi: z
    .strictObject({
      securitySchemes: z.record(z.string(), z.record(z.string(), z.unknown())).optional(),
      security: z
        .array(z.record(z.string(), z.array(z.string())))
        .min(1)
        .optional(),
    })
    .optional(),
  cache: unsupported("is not supported: the callback is asked with each request"),
});

/** When the Platform looks for what has expired; here each tick does. */
const SWEEPS = { sweep_interval_minutes: anything, sweep_limit: anything };

/** Names of embedding models, such as `openai:text-embedding-3-small`, have no file of a language that we take. */
const isEmbedding = z
  .string()
  .regex(
    /^.+\.[cm]?[jt]sx?:[^:/\\]+$/,
    'must be like "./src/embeddings.ts:embeddings", an export of LangChain Embeddings or of a function (texts) => Promise<vectors>',
  );

export const StoreSection = z.strictObject({
  path: unsupported("is not supported: the store is in the database, beside the threads"),
  index: z
    .strictObject({
      dims: z.int().min(1).max(16_000),
      embed: isEmbedding,
      fields: z.array(z.string().min(1)).min(1).optional(),
    })
    .optional(),
  ttl: z
    .strictObject({
      default_ttl: Minutes.optional(),
      refresh_on_read: z.boolean().optional(),
      ...SWEEPS,
    })
    .optional(),
});

export const CheckpointerSection = z.strictObject({
  path: unsupported(
    "is not supported: checkpoints are in the database, where the runs of a thread find them",
  ),
  serde: unsupported("is not supported: checkpoints are written as LangGraph.js writes them"),
  ttl: z
    .strictObject({
      strategy: z.enum(["delete", "keep_latest"], 'must be "delete" or "keep_latest"').optional(),
      default_ttl: Minutes.optional(),
      ...SWEEPS,
    })
    .optional(),
});

export const WebhooksSection = z
  .strictObject({
    env_prefix: z.string().min(1).default("LG_WEBHOOK_"),
    headers: z.record(z.string(), z.string()).optional(),
    url: z
      .strictObject({
        require_https: z.boolean().optional(),
        allowed_domains: z.array(z.string()).optional(),
        allowed_ports: z.array(z.number()).optional(),
        max_url_length: z.number().optional(),
        disable_loopback: z
          .literal(true, { error: "must be true: a path of this server cannot be called back" })
          .optional(),
      })
      .optional(),
  })
  .superRefine(({ env_prefix, headers = {} }, context) => {
    for (const [header, template] of Object.entries(headers)) {
      const wrong = variablesIn(template).find((name) => !name.startsWith(env_prefix));
      if (wrong === undefined) continue;
      const message = `the variable ${wrong} does not begin with ${env_prefix}, which env_prefix asks for`;
      context.addIssue({ code: "custom", path: ["headers", header], message });
    }
  });

export interface Sections {
  readonly store?: z.output<typeof StoreSection> | undefined;
  readonly checkpointer?: z.output<typeof CheckpointerSection> | undefined;
  readonly webhooks?: z.output<typeof WebhooksSection> | undefined;
}

/** The options of the app that the sections give; `embed` is loaded elsewhere. */
export function sectionOptions({ store, checkpointer, webhooks }: Sections): ProjectOptions {
  const { index } = store ?? {};
  return {
    ...(store === undefined
      ? {}
      : {
          store: {
            ...(index === undefined ? {} : { index: { dims: index.dims, fields: index.fields } }),
            ttl: { default_ttl: store.ttl?.default_ttl, refresh_on_read: store.ttl?.refresh_on_read },
          },
        }),
    ...(checkpointer?.ttl === undefined
      ? {}
      : {
          threads: {
            ttl: { default_ttl: checkpointer.ttl.default_ttl, strategy: checkpointer.ttl.strategy },
          },
        }),
    ...(webhooks === undefined ? {} : { webhooks: toWebhooks(webhooks) }),
  };
}

function toWebhooks({ headers, url = {} }: NonNullable<Sections["webhooks"]>): AppOptions["webhooks"] {
  return {
    headers,
    requireHttps: url.require_https,
    allowedDomains: url.allowed_domains,
    allowedPorts: url.allowed_ports,
    maxUrlLength: url.max_url_length,
  };
}

/** Keys that are there, and without effect, as each tick deletes what has expired. */
export function sweepKeys({ store, checkpointer }: Sections): readonly string[] {
  return Object.keys(SWEEPS).flatMap((key) => [
    ...(Object.hasOwn(store?.ttl ?? {}, key) ? [`store.ttl.${key}`] : []),
    ...(Object.hasOwn(checkpointer?.ttl ?? {}, key) ? [`checkpointer.ttl.${key}`] : []),
  ]);
}

/** The environment variables that the headers of webhooks are made of. */
export function headerVariables({ webhooks }: ProjectOptions): readonly string[] {
  return [...new Set(Object.values(webhooks?.headers ?? {}).flatMap(variablesIn))];
}

function variablesIn(template: string): readonly string[] {
  return [...template.matchAll(HEADER_VARIABLE)].flatMap(([, name]) => name ?? []);
}
