import type { LookupAddress } from "node:dns";
import { expect, test } from "vitest";
import { isPublicAddress } from "../../src/engine/addresses.ts";
import { webhookSender } from "../../src/engine/webhooks.ts";
import { startReceiver } from "../support/receiver.ts";

/** A name server of our own, which counts what it is asked. */
function nameServer(...answers: readonly (readonly string[])[]) {
  const asked: string[] = [];
  const lookup = (
    hostname: string,
    _options: object,
    callback: (error: null, addresses: readonly LookupAddress[]) => void,
  ): void => {
    asked.push(hostname);
    const addresses = answers[asked.length - 1] ?? answers.at(-1) ?? [];
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
    );
  };
  return { lookup, asked };
}

const closed = { secrets: [], headers: {}, allowPrivateAddresses: false };
const webhook = { webhook_id: "1", body: "{}", sentAt: new Date(), signal: AbortSignal.timeout(5_000) };

test("the address that the name server gives is the one that is checked, and the one that is called", async () => {
  await using receiver = await startReceiver();
  const { port } = new URL(receiver.url);
  const { lookup, asked } = nameServer(["127.0.0.1"], ["192.0.2.1"]);
  const open = webhookSender({ ...closed, allowPrivateAddresses: true }, lookup);
  expect(await open.send({ ...webhook, url: `http://hooks.example.com:${port}/` })).toBe(204);
  expect(asked).toEqual(["hooks.example.com"]);
  expect(receiver.received).toHaveLength(1);
});

test.each([
  [["127.0.0.1"]],
  [["::1"]],
  [["169.254.169.254"]],
  [["fd00:ec2::254"]],
  [["93.184.215.14", "10.0.0.1"]],
  [["::ffff:127.0.0.1"]],
  [["fe80::1%eth0"]],
])("a name that leads to %s is not called", async (addresses) => {
  await using receiver = await startReceiver();
  const { port } = new URL(receiver.url);
  const { lookup } = nameServer(addresses);
  const sending = webhookSender(closed, lookup).send({
    ...webhook,
    url: `http://hooks.example.com:${port}/`,
  });
  await expect(sending).rejects.toMatchObject({ name: "RefusedAddress" });
  expect(receiver.received).toEqual([]);
});

test("an attempt ends when its time is up", async () => {
  await using receiver = await startReceiver();
  const { port } = new URL(receiver.url);
  const ended = AbortSignal.abort(new Error("time is up"));
  const open = webhookSender({ ...closed, allowPrivateAddresses: true });
  const sending = open.send({ ...webhook, url: `http://127.0.0.1:${port}/`, signal: ended });
  await expect(sending).rejects.toThrow();
});

test("public addresses are public", () => {
  for (const address of ["8.8.8.8", "93.184.215.14", "100.128.0.1", "2606:4700::1111", "2a00:1450:4001::8"])
    expect([address, isPublicAddress(address)]).toEqual([address, true]);
  for (const address of [
    "100.127.255.255",
    "255.255.255.255",
    "2002:7f00:1::",
    "::",
    "hooks.example.com",
    "",
  ])
    expect([address, isPublicAddress(address)]).toEqual([address, false]);
});
