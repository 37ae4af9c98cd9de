/** The section `http` of langgraph.json, as options of an app. */

import { z } from "zod";
import { FEATURES, type CorsOptions } from "../options.ts";
import type { ProjectOptions } from "../project/options.ts";

const anything = z.unknown().optional();
const Flag = z.boolean().optional();
const Texts = z.array(z.string()).optional();
const HeaderNames = z.array(z.string()).nullish();

export const HttpSection = z.strictObject({
  app: z
    .string()
    .regex(/^.+:[^:/\\]+$/, 'must be like "./src/app.ts:app"')
    .optional(),
  cors: z
    .strictObject({
      allow_origins: Texts,
      allow_methods: Texts,
      allow_headers: Texts,
      allow_credentials: z.boolean().optional(),
      allow_origin_regex: z.string().optional(),
      expose_headers: Texts,
      max_age: z.number().optional(),
    })
    .optional(),
  disable_assistants: Flag,
  disable_threads: Flag,
  disable_runs: Flag,
  disable_store: Flag,
  disable_meta: Flag,
  disable_mcp: Flag,
  disable_a2a: Flag,
  disable_ui: anything, // none is served
  mount_prefix: z
    .string()
    .regex(/^\/?([\w-]+(\/[\w-]+)*)?\/?$/, 'must be like "/agents"')
    .optional(),
  middleware_order: z
    .literal("auth_first", { error: 'must be "auth_first": callers are checked before the middleware runs' })
    .optional(),
  enable_custom_route_auth: z
    .literal(true, { error: "must be true: custom routes are protected as the others are" })
    .optional(),
  logging_headers: anything, // none is logged
  configurable_headers: z.strictObject({ includes: HeaderNames, excludes: HeaderNames }).optional(),
  disable_webhooks: Flag,
});

type Section = z.output<typeof HttpSection>;

/** The options of the app that the section gives; the custom app itself is loaded elsewhere. */
export function httpOptions(section: Section): ProjectOptions {
  const { cors, mount_prefix, configurable_headers: headers } = section;
  const disable = FEATURES.filter((feature) => section[`disable_${feature}`] === true);
  return {
    disable,
    ...(mount_prefix === undefined ? {} : { routePrefix: mount_prefix.replaceAll(/^\/|\/$/g, "") }),
    ...(cors === undefined ? {} : { cors: toCors(cors) }),
    ...(headers === undefined
      ? {}
      : {
          configurableHeaders: {
            includes: headers.includes ?? undefined,
            excludes: headers.excludes ?? undefined,
          },
        }),
    ...(section.disable_webhooks === true ? { webhooks: { enabled: false } } : {}),
  };
}

function toCors(cors: NonNullable<Section["cors"]>): CorsOptions {
  return {
    allowOrigins: cors.allow_origins,
    allowOriginRegex: cors.allow_origin_regex,
    allowMethods: cors.allow_methods,
    allowHeaders: cors.allow_headers,
    allowCredentials: cors.allow_credentials,
    exposeHeaders: cors.expose_headers,
    maxAgeSeconds: cors.max_age,
  };
}
