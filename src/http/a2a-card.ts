/** What an assistant tells other agents of itself. @see https://a2a-protocol.org/v0.3.0/specification, 5 */

import type { Assistant } from "../core/assistant-store.ts";
import type { AuthLevel } from "../core/model.ts";
import { baseUrl } from "./base-url.ts";
import type { SignInWay } from "./openapi.ts";
import type { Call } from "./router.ts";

export interface CardDeps {
  readonly authLevel: AuthLevel;
  /** How callers sign in, by name, as an OpenAPI document describes it; none where nobody does. */
  readonly signInSchemes: Readonly<Record<string, object>>;
  readonly signInWays: readonly SignInWay[];
  /** Undefined where callers reach the server at the address that they ask. */
  readonly publicUrl: string | undefined;
}

const MODES = ["text/plain", "application/json"];

export function agentCard(deps: CardDeps, call: Call, assistant: Assistant): object {
  const { assistant_id, name, version } = assistant;
  const description = assistant.description ?? name;
  return {
    protocolVersion: "0.3.0",
    name,
    description,
    version: String(version),
    url: `${baseUrl(deps.publicUrl, call)}/a2a/${assistant_id}`,
    preferredTransport: "JSONRPC",
    capabilities: { streaming: true, pushNotifications: false, stateTransitionHistory: false },
    defaultInputModes: MODES,
    defaultOutputModes: MODES,
    skills: [{ id: assistant_id, name, description, tags: ["langgraph"] }],
    ...security(deps),
  };
}

/** Ways to be let in, as an OpenAPI document has them; nothing where all are. */
function security({ authLevel, signInSchemes, signInWays }: CardDeps): object {
  const keys = authLevel === "anonymous" ? {} : FUNCTION_KEY;
  const securitySchemes = { ...keys, ...signInSchemes };
  if (Object.keys(securitySchemes).length === 0) return {};
  const key = Object.fromEntries(Object.keys(keys).map((name) => [name, []]));
  const ways = signInWays.map((way) => ({ ...key, ...way }));
  return { securitySchemes, security: ways.length === 0 ? [key] : ways };
}

const FUNCTION_KEY = { functionKey: { type: "apiKey", in: "header", name: "x-functions-key" } };
