/** The option `webhooks` of an app. */

import { z } from "zod";
import { RETRY_SECONDS } from "./core/webhooks.ts";

export interface WebhookOptions {
  /** Whether clients may ask for them at all. Default: true. */
  readonly enabled?: boolean | undefined;
  /** Whether clients may have private, loopback and link-local addresses called. Default: false. */
  readonly allowPrivateAddresses?: boolean;
  /** Default: false. */
  readonly requireHttps?: boolean | undefined;
  /** `example.com`, or `*.example.com` for its subdomains. Default: all. */
  readonly allowedDomains?: readonly string[] | undefined;
  /** Default: all. */
  readonly allowedPorts?: readonly number[] | undefined;
  /** Default: 2,048. */
  readonly maxUrlLength?: number | undefined;
  /** That each webhook has besides its own. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** The pauses between attempts, of which there is one more. Default: 9, from 5 seconds to a day, some three days in all. */
  readonly retrySeconds?: readonly number[];
}

export const Webhooks = z
  .strictObject({
    enabled: z.boolean().default(true),
    allowPrivateAddresses: z.boolean().default(false),
    requireHttps: z.boolean().default(false),
    allowedDomains: z.array(z.string().regex(/^(\*\.)?[\w-]+(\.[\w-]+)*$/)).optional(),
    allowedPorts: z.array(z.int().min(1).max(65_535)).optional(),
    maxUrlLength: z.int().min(1).default(2_048),
    headers: z
      .record(
        z
          .string()
          .regex(/^(?!(webhook-|content-|host$))[\w-]+$/i, "must be a header's name, and not one of ours"),
        z.string().regex(/^[\t\x20-\x7e]*$/, "must be printable ASCII"),
      )
      .default({}),
    retrySeconds: z.array(z.number().min(0)).default([...RETRY_SECONDS]),
  })
  .prefault({});
