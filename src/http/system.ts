/** What describes the app itself: health, the OpenAPI document, and the page that shows it. */

import { z } from "zod";
import type { AuthLevel } from "../core/model.ts";
import type { Graph } from "../core/graphs.ts";
import { AppError } from "../errors.ts";
import type { OpenApiDocument } from "./openapi.ts";
import { json } from "./respond.ts";
import type { Route } from "./router.ts";

export interface SystemDeps {
  readonly graphs: () => readonly Graph[];
  readonly authLevel: AuthLevel;
  /** Whether the document and its page are there for callers who have not signed in. */
  readonly publicDocs: boolean;
  /** Whether `/health`, which asks for no key, lists the graphs. */
  readonly healthListsGraphs: boolean;
  readonly openApi: () => Promise<OpenApiDocument>;
  readonly title: string;
}

const HealthAnswer = z.object({
  status: z.literal("ok"),
  graphs: z
    .array(z.object({ name: z.string(), description: z.string().nullable(), has_checkpointer: z.boolean() }))
    .optional(),
});

export function systemRoutes(deps: SystemDeps): readonly Route[] {
  return [...healthRoutes(deps), ...docsRoutes(deps)];
}

function healthRoutes({ graphs, authLevel, healthListsGraphs }: SystemDeps): readonly Route[] {
  const list = () =>
    graphs().map((graph) => ({
      name: graph.name,
      description: graph.description ?? null,
      has_checkpointer: graph.hasCheckpointer(),
    }));
  const details = () => json({ status: "ok", graphs: list() });
  const responses = { 200: { description: "The server answers", schema: HealthAnswer } };
  return [
    {
      method: "GET",
      path: "/health",
      authLevel: "anonymous",
      permission: "public",
      isRateLimited: false,
      docs: { operationId: "health", summary: "Health check", tag: "system", responses },
      handle: healthListsGraphs ? details : () => json({ status: "ok" }),
    },
    {
      method: "GET",
      path: "/health/details",
      authLevel,
      permission: "signed-in",
      isRateLimited: false,
      docs: {
        operationId: "health_details",
        summary: "Health and the registered graphs",
        tag: "system",
        responses,
      },
      handle: details,
    },
  ];
}

function docsRoutes({ authLevel, publicDocs, openApi, title }: SystemDeps): readonly Route[] {
  const text = (description: string, contentType: string) => ({
    description,
    contentType,
    schema: z.string(),
  });
  const common = { method: "GET", isRateLimited: false } as const;
  return [
    {
      ...common,
      path: "/openapi.json",
      authLevel: publicDocs ? "anonymous" : authLevel,
      permission: publicDocs ? "public" : "signed-in",
      docs: {
        operationId: "openapi",
        summary: "This document",
        tag: "system",
        responses: { 200: { description: "OpenAPI 3.1", schema: z.record(z.string(), z.unknown()) } },
      },
      handle: async () => json(await openApi()),
    },
    {
      ...common,
      path: "/docs",
      authLevel: "anonymous", // it shows nothing by itself: what it reads, openapi.json, is protected
      permission: "public",
      docs: {
        operationId: "docs",
        summary: "This document as a page",
        tag: "system",
        responses: { 200: text("The page", "text/html") },
      },
      handle: async () => (await import("./docs.ts")).docsPage({ title }),
    },
    {
      ...common,
      path: "/docs/{name}",
      authLevel: "anonymous",
      permission: "public",
      docs: {
        operationId: "docs_file",
        summary: "A file of the page",
        tag: "system",
        responses: {
          200: { ...text("A script or style sheet", "text/javascript"), others: { "text/css": z.string() } },
          404: "There is no such file",
        },
      },
      handle: async ({ request, params }) => {
        const { docsAsset } = await import("./docs.ts");
        const asset = await docsAsset(params["name"] ?? "", request.headers.get("accept-encoding"));
        if (asset === null) throw new AppError("not_found", "There is no such file");
        return asset;
      },
    },
  ];
}
