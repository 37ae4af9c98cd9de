/** What an assistant's graph looks like: its drawing, its schemas, its subgraphs. */

import { z } from "zod";
import type { Assistant } from "../core/assistant-store.ts";
import type { Graph } from "../core/graphs.ts";
import { AppError } from "../errors.ts";
import { find, type AssistantRouteDeps } from "./assistant-route.ts";
import { GraphAnswer, GraphQuery, SchemasAnswer, SubgraphsQuery } from "./assistant-schemas.ts";
import type { MakeRoute } from "./platform-route.ts";
import { readQuery } from "./query.ts";
import { json } from "./respond.ts";
import type { Call, Route } from "./router.ts";

const ONE = "/assistants/{assistant_id}";

export function assistantGraphRoutes(deps: AssistantRouteDeps, route: MakeRoute): readonly Route[] {
  const subgraphsAnswer = {
    description: "The schemas of each subgraph, by its namespace: `outer|inner`",
    schema: z.record(z.string(), SchemasAnswer),
  };
  return [
    route(`GET ${ONE}/graph`, "Draw an assistant's graph", {
      permission: "assistants:read",
      query: GraphQuery,
      responses: {
        200: { description: "Its nodes and edges; `xray` opens its subgraphs", schema: GraphAnswer },
      },
      handle: async (call) => {
        const { xray } = await readQuery(call.request, GraphQuery);
        const { assistant, graph } = await findGraph(deps, call);
        return json(await deps.inspector.draw(graph, assistant.config, xray));
      },
    }),
    route(`GET ${ONE}/schemas`, "Get the schemas of an assistant's graph", {
      permission: "assistants:read",
      responses: {
        200: { description: "JSON Schemas, as far as the graph tells them", schema: SchemasAnswer },
      },
      handle: async (call) => {
        await readQuery(call.request, z.strictObject({}));
        const { assistant, graph } = await findGraph(deps, call);
        return json({ graph_id: graph.name, ...(await deps.inspector.schemas(graph, assistant.config)) });
      },
    }),
    route(`GET ${ONE}/subgraphs`, "Get the subgraphs of an assistant's graph", {
      permission: "assistants:read",
      query: SubgraphsQuery,
      responses: { 200: subgraphsAnswer },
      handle: subgraphs(deps),
    }),
    route(`GET ${ONE}/subgraphs/{namespace}`, "Get a subgraph of an assistant's graph", {
      permission: "assistants:read",
      query: SubgraphsQuery,
      responses: { 200: subgraphsAnswer },
      handle: subgraphs(deps),
    }),
  ];
}

function subgraphs(deps: AssistantRouteDeps): Route["handle"] {
  return async (call) => {
    const { recurse } = await readQuery(call.request, SubgraphsQuery);
    const { assistant, graph } = await findGraph(deps, call);
    const { namespace } = call.params;
    const found = await deps.inspector.subgraphs(graph, assistant.config, { namespace, recurse });
    const withGraph = Object.entries(found).map(([name, schemas]) => [
      name,
      { graph_id: graph.name, ...schemas },
    ]);
    return json(Object.fromEntries(withGraph));
  };
}

async function findGraph(
  deps: AssistantRouteDeps,
  call: Call,
): Promise<{ readonly assistant: Assistant; readonly graph: Graph }> {
  const { assistant, graph } = await find(deps, call);
  if (graph === undefined)
    throw new AppError("not_found", `Graph '${assistant.graph_id}' is not registered any more`);
  return { assistant, graph };
}
