/** All routes that there are; one that is added is added here, too. */

export function allRoutes(graphs: readonly { readonly name: string }[]): readonly string[] {
  const ofGraphs = graphs.flatMap(({ name }) => [
    `post /graphs/${name}/invoke`,
    `post /graphs/${name}/stream`,
    `get /graphs/${name}/threads/{thread_id}/state`,
    `post /graphs/${name}/runs`,
    `get /graphs/${name}/runs/{run_id}`,
    `post /graphs/${name}/runs/{run_id}/cancel`,
  ]);
  const ofSystem = [
    "/health",
    "/health/details",
    "/info",
    "/ok",
    "/openapi.json",
    "/status",
    "/status/summary",
    "/docs",
    "/docs/{name}",
  ].map((path) => `get ${path}`);
  const ofThreads = [
    "post /threads",
    ...["search", "count", "prune"].map((verb) => `post /threads/${verb}`),
    ...["get ", "patch ", "delete "].map((method) => `${method}/threads/{thread_id}`),
    "post /threads/{thread_id}/copy",
    ...["get ", "post ", "patch "].map((method) => `${method}/threads/{thread_id}/state`),
    "post /threads/{thread_id}/state/checkpoint",
    "get /threads/{thread_id}/state/{checkpoint_id}",
    "get /threads/{thread_id}/storage",
    "get /threads/{thread_id}/stream",
    ...["get ", "post "].map((method) => `${method}/threads/{thread_id}/history`),
  ];
  const ofProtocol = [
    "post /threads/{thread_id}/commands",
    ...["get ", "post "].map((method) => `${method}/threads/{thread_id}/stream/events`),
  ];
  const ofStore = [
    ...["put", "get", "delete"].map((method) => `${method} /store/items`),
    "post /store/items/search",
    "post /store/namespaces",
  ];
  const ofAssistants = [
    "post /assistants",
    ...["search", "count"].map((verb) => `post /assistants/${verb}`),
    ...["get ", "patch ", "delete "].map((method) => `${method}/assistants/{assistant_id}`),
    ...["versions", "latest"].map((verb) => `post /assistants/{assistant_id}/${verb}`),
    ...["graph", "schemas", "subgraphs", "subgraphs/{namespace}"].map(
      (part) => `get /assistants/{assistant_id}/${part}`,
    ),
  ];
  const ofRuns = [
    ...["", "/wait", "/stream"].flatMap((door) => [
      `post /runs${door}`,
      `post /threads/{thread_id}/runs${door}`,
    ]),
    "post /runs/batch",
    "post /runs/cancel",
    "get /runs/{run_id}/stream",
    "get /threads/{thread_id}/runs",
    "get /threads/{thread_id}/runs/{run_id}",
    "delete /threads/{thread_id}/runs/{run_id}",
    "get /threads/{thread_id}/runs/{run_id}/join",
    "get /threads/{thread_id}/runs/{run_id}/stream",
    "post /threads/{thread_id}/runs/{run_id}/cancel",
  ];
  const ofCrons = [
    "post /runs/crons",
    "post /threads/{thread_id}/runs/crons",
    ...["search", "count"].map((verb) => `post /runs/crons/${verb}`),
    ...["get", "patch", "delete"].map((method) => `${method} /runs/crons/{cron_id}`),
  ];
  const ofLinks = [
    "post /threads/{thread_id}/resume-links",
    ...["get", "post"].map((method) => `${method} /resume/{token}`),
  ];
  const forAgents = ["post /mcp", "post /a2a/{assistant_id}", "get /.well-known/agent-card.json"];
  return [
    ...ofGraphs,
    ...ofSystem,
    ...ofThreads,
    ...ofAssistants,
    ...ofRuns,
    ...ofCrons,
    ...ofProtocol,
    ...ofStore,
    ...ofLinks,
    ...forAgents,
  ].sort();
}
