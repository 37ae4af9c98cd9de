/** Microsoft Entra ID as a function app meets it: App Service's own endpoint, whose tokens are a role's password. */

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { TestDatabase } from "./database.ts";

export interface Entra extends AsyncDisposable {
  /** What App Service sets for the worker. */
  readonly env: Readonly<Record<string, string>>;
  /** How many tokens it was asked for. */
  readonly asked: () => number;
  /** What the server takes for a password, from now on, is another token. */
  readonly rotate: () => Promise<void>;
  /** How long the tokens live that it gives from now on. */
  readonly giveFor: (seconds: number) => void;
  /** Answers with errors until it is mended. */
  readonly breakDown: () => void;
  readonly mend: () => void;
}

/** So short-lived that the library, which keeps them for the whole process until five minutes before their end, asks for each. */
const LIFETIME_S = 200;

/** @see https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference */
export async function startEntra(
  { query }: TestDatabase,
  { user, clientId }: { readonly user: string; readonly clientId: string },
): Promise<Entra> {
  const header = randomBytes(16).toString("hex");
  let token = "";
  let asked = 0;
  let isBroken = false;
  let lifetime = LIFETIME_S;
  const rotate = async (): Promise<void> => {
    token = randomBytes(1_200).toString("base64url"); // as long as they are
    await query(`alter role ${user} password '${token}'`);
  };
  await rotate();
  const server = createServer((request, response) => {
    asked += 1;
    const { searchParams } = new URL(request.url ?? "", "http://here");
    const isRight =
      request.headers["x-identity-header"] === header &&
      searchParams.get("resource") === "https://ossrdbms-aad.database.windows.net" &&
      searchParams.get("client_id") === clientId;
    const expires_on = Math.floor(Date.now() / 1_000) + lifetime;
    response.setHeader("content-type", "application/json");
    if (isBroken)
      response.writeHead(500).end(JSON.stringify({ statusCode: 500, message: "No identity today" }));
    else if (!isRight)
      response.writeHead(400).end(JSON.stringify({ statusCode: 400, message: "Wrong question" }));
    else
      response.end(
        JSON.stringify({
          access_token: token,
          expires_on: String(expires_on),
          resource: searchParams.get("resource"),
          token_type: "Bearer",
          client_id: clientId,
        }),
      );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    env: {
      IDENTITY_ENDPOINT: `http://127.0.0.1:${port}/msi/token`,
      IDENTITY_HEADER: header,
      AZURE_CLIENT_ID: clientId,
      DATABASE_AUTH: "entra",
    },
    asked: () => asked,
    rotate,
    giveFor: (seconds) => (lifetime = seconds),
    breakDown: () => (isBroken = true),
    mend: () => (isBroken = false),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
