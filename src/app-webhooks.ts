/** The webhooks of an app: which are allowed, and who sends them. */

import type { WebhookPolicy, WebhookSender } from "./core/webhooks.ts";
import { isPublicAddress, literalAddress } from "./engine/addresses.ts";
import { once } from "./once.ts";
import type { ParsedOptions } from "./options.ts";
import type { Settings } from "./settings.ts";

export function webhookPolicy({ webhooks }: ParsedOptions): WebhookPolicy {
  const isRefused = (url: URL): boolean => {
    const address = webhooks.allowPrivateAddresses ? undefined : literalAddress(url);
    return address !== undefined && !isPublicAddress(address);
  };
  const { allowedDomains, allowedPorts } = webhooks;
  return { ...webhooks, allowedDomains, allowedPorts, isRefused };
}

/** Only who delivers loads it. */
export function lazySender({ webhooks }: ParsedOptions, { webhookSecrets = [] }: Settings): WebhookSender {
  const open = once(async () => {
    const { webhookSender } = await import("./engine/webhooks.ts");
    return webhookSender({ ...webhooks, secrets: webhookSecrets });
  });
  return { send: async (request) => (await open()).send(request) };
}
