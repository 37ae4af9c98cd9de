import { startServer } from "../../support/server.ts";
import * as graphs from "../graphs.ts";
import type { ConformanceHost } from "./host.ts";

export async function startLocally(): Promise<ConformanceHost> {
  const named = Object.entries(graphs).map(([name, graph]) => ({ name, graph }));
  return { ...(await startServer({ graphs: named })), failures: () => [] };
}
