/** Sends webhooks, signed as Standard Webhooks say, and to no address that a client must not make us call. */

import { createHmac } from "node:crypto";
import { lookup as systemLookup, type LookupAddress } from "node:dns";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { LookupFunction } from "node:net";
import { RefusedAddress, type WebhookRequest, type WebhookSender } from "../core/webhooks.ts";
import { isPublicAddress, literalAddress } from "./addresses.ts";

export interface SenderOptions {
  /** `whsec_` and base64. Each signs, so that receivers can go from one to the next; without any, nothing is signed. */
  readonly secrets: readonly string[];
  /** That each webhook has besides. */
  readonly headers: Readonly<Record<string, string>>;
  readonly allowPrivateAddresses: boolean;
}

type Lookup = (
  hostname: string,
  options: { readonly all: true },
  callback: (error: Error | null, addresses: readonly LookupAddress[]) => void,
) => void;

export function webhookSender(options: SenderOptions, lookup: Lookup = systemLookup): WebhookSender {
  const isAllowed = options.allowPrivateAddresses ? (): boolean => true : isPublicAddress;
  const checkedLookup = checking(lookup, isAllowed);
  return {
    send: async (webhook) => {
      const url = new URL(webhook.url);
      const address = literalAddress(url);
      if (address !== undefined && !isAllowed(address)) throw refused(address);
      const headers = { ...options.headers, ...standardHeaders(webhook, options.secrets) };
      return post(url, webhook, { headers, lookup: checkedLookup });
    },
  };
}

/** @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */
function standardHeaders(
  { webhook_id, sentAt, body }: WebhookRequest,
  secrets: readonly string[],
): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(sentAt.getTime() / 1000));
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
    return `v1,${createHmac("sha256", key).update(`${webhook_id}.${timestamp}.${body}`).digest("base64")}`;
  });
  return {
    "content-type": "application/json",
    "user-agent": "langgraph-functions",
    "webhook-id": webhook_id,
    "webhook-timestamp": timestamp,
    ...(signatures.length === 0 ? {} : { "webhook-signature": signatures.join(" ") }),
  };
}

/** What follows the head of an answer is of no interest. */
const MAX_ANSWER_BYTES = 65_536;

/** Node's own client: `fetch` does not say which address it connects to. It follows no redirect. */
async function post(
  url: URL,
  { body, signal }: WebhookRequest,
  options: { readonly headers: Readonly<Record<string, string>>; readonly lookup: LookupFunction },
): Promise<number> {
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    let status: number | undefined;
    const request = send(url, { ...options, method: "POST", agent: false, signal }, (response) => {
      status = response.statusCode ?? 0;
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MAX_ANSWER_BYTES) response.destroy();
      });
      response.on("error", () => undefined);
      response.on("close", () => resolve(status ?? 0));
    });
    request.on("error", (error) => (status === undefined ? reject(error) : resolve(status)));
    request.end(body);
  });
}

/** The check is of the very addresses that the socket is then connected to: a later answer of the name server changes nothing. */
function checking(lookup: Lookup, isAllowed: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      const [first] = addresses ?? [];
      const forbidden = addresses?.find(({ address }) => !isAllowed(address));
      const problem = error ?? (forbidden === undefined ? null : refused(forbidden.address));
      if (problem !== null || first === undefined)
        return callback(problem ?? new Error(`${hostname} has no address`), [], 0);
      if (options.all === true) return callback(null, [...addresses]);
      callback(null, first.address, first.family);
    });
  };
}

function refused(address: string): RefusedAddress {
  return new RefusedAddress(`${address} is not on the public internet`);
}
