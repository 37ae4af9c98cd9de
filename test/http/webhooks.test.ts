import { Webhook } from "standardwebhooks";
import { expect, test, vi } from "vitest";
import { z } from "zod";
import { abortable, asking, counter, failing, gated, shout } from "../support/graphs.ts";
import { startReceiver } from "../support/receiver.ts";
import { clientOf } from "../support/sdk.ts";
import { startServer, type ServerOptions, type TestServer } from "../support/server.ts";
import { patiently } from "../support/patiently.ts";

const input = { text: "hello" };
const allowed = { allowPrivateAddresses: true };

async function serve(options: Partial<ServerOptions> = {}): Promise<TestServer> {
  const graphs = [
    { name: "shout", graph: shout },
    { name: "counter", graph: counter },
    { name: "failing", graph: failing },
    { name: "asking", graph: asking },
  ];
  return startServer({ graphs, webhooks: allowed, ...options });
}

/** Waits until the server has nothing more to deliver now. */
async function settled({ database }: TestServer): Promise<readonly Record<string, unknown>[]> {
  return patiently(async () => {
    const waiting = await database.query(
      "select webhook_id, attempts, last_error, failed_at is not null as failed, due_at > now() as later from langgraph.webhooks",
    );
    expect(waiting.filter(({ failed, later }) => failed === false && later === false)).toEqual([]);
    return waiting;
  });
}

/** A receiver has its webhook a moment before the record of it is gone. */
async function untilDelivered(server: TestServer): Promise<void> {
  await patiently(async () => expect(await settled(server)).toEqual([]));
}

test("a webhook is told of the end of a run, as the Platform does it", async () => {
  await using receiver = await startReceiver();
  await using server = await serve();
  const client = clientOf(server);
  const { thread_id } = await client.threads.create();
  const run = await client.runs.create(thread_id, "shout", {
    input,
    metadata: { purpose: "test" },
    webhook: `${receiver.url}/hook?a=1`,
  });
  const [told] = await receiver.after(1);
  expect(told).toMatchObject({ method: "POST", path: "/hook?a=1" });
  expect(told?.headers).toMatchObject({ "content-type": "application/json", "webhook-id": run.run_id });
  const stored = await client.runs.get(thread_id, run.run_id);
  expect(told?.body).toEqual({
    ...stored,
    run_started_at: expect.any(String),
    run_ended_at: stored.updated_at,
    webhook_sent_at: expect.any(String),
    values: { text: "hello!" },
  });
  const time = z.iso.datetime();
  const { created_at, run_started_at, run_ended_at, webhook_sent_at } = told?.body ?? {};
  const times = [created_at, run_started_at, run_ended_at, webhook_sent_at].map((text) => time.parse(text));
  expect(times).toEqual(times.toSorted());
  await untilDelivered(server);
  expect(receiver.received).toHaveLength(1);
});

test("every endpoint that makes runs takes a webhook", async () => {
  await using receiver = await startReceiver();
  await using server = await serve();
  const client = clientOf(server);
  const { thread_id } = await client.threads.create();
  const payload = (name: string) => ({ input, webhook: `${receiver.url}/${name}` });
  await client.runs.wait(thread_id, "shout", payload("wait"));
  for await (const _ of client.runs.stream(thread_id, "shout", payload("stream"))) continue;
  await client.runs.create(thread_id, "shout", payload("create"));
  await client.runs.wait(null, "shout", payload("stateless-wait"));
  for await (const _ of client.runs.stream(null, "shout", payload("stateless-stream"))) continue;
  await client.runs.create(null, "shout", payload("stateless-create"));
  await client.runs.createBatch([{ assistantId: "shout", ...payload("batch") }]);
  const told = await receiver.after(7);
  expect(new Set(told.map(({ path }) => path))).toEqual(
    new Set([
      "/batch",
      "/create",
      "/stateless-create",
      "/stateless-stream",
      "/stateless-wait",
      "/stream",
      "/wait",
    ]),
  );
  for (const { body } of told)
    expect(body).toMatchObject({ status: "success", values: { text: "hello!" }, kwargs: { input } });
});

test("a run that fails, waits for a human, or is stopped is told of, too", async () => {
  await using receiver = await startReceiver();
  const { graph, entered } = abortable();
  const graphs = [
    { name: "failing", graph: failing },
    { name: "asking", graph: asking },
    { name: "abortable", graph },
  ];
  await using server = await serve({ graphs });
  const client = clientOf(server);
  const { thread_id } = await client.threads.create();
  const payload = (name: string) => ({ input, webhook: `${receiver.url}/${name}` });
  await client.runs.create(null, "failing", payload("failing"));
  await client.runs.create(null, "asking", payload("asking"));
  const running = await client.runs.create(thread_id, "abortable", payload("interrupt"));
  await entered;
  const waiting = await client.runs.create(thread_id, "abortable", payload("waiting"));
  await client.runs.cancel(thread_id, waiting.run_id);
  await client.runs.cancel(thread_id, running.run_id);
  const told = await receiver.after(4);
  const byPath = Object.fromEntries(told.map(({ path, body }) => [path, body]));
  expect(byPath["/failing"]).toMatchObject({
    status: "error",
    error: expect.stringMatching(/^Graph execution failed/),
    values: input,
  });
  expect(JSON.stringify(byPath["/failing"])).not.toContain("secret of the graph");
  expect(byPath["/asking"]).toMatchObject({ status: "interrupted", values: { text: "hello" } });
  expect(byPath["/interrupt"]).toMatchObject({
    run_id: running.run_id,
    status: "interrupted",
    values: input,
  });
  expect(byPath["/waiting"]).toMatchObject({
    run_id: waiting.run_id,
    status: "interrupted",
    run_started_at: null,
  });
  await untilDelivered(server);
});

test("a run that is rolled back is told of, although it is gone", async () => {
  await using receiver = await startReceiver();
  const { graph, entered } = abortable();
  await using server = await serve({ graphs: [{ name: "abortable", graph }] });
  const client = clientOf(server);
  const { thread_id } = await client.threads.create();
  const payload = { input, webhook: receiver.url };
  const { run_id } = await client.runs.create(thread_id, "abortable", payload);
  await entered;
  await client.runs.cancel(thread_id, run_id, true, "rollback");
  const [told] = await receiver.after(1);
  expect(told?.body).toMatchObject({ run_id, status: "rollback", kwargs: { input } });
  expect(await client.runs.list(thread_id)).toEqual([]);
});

test("a receiver that fails is told again, by delayed messages alone, under the same id", async () => {
  await using receiver = await startReceiver({ statuses: [500, 503, 200] });
  await using server = await serve({ webhooks: { ...allowed, retrySeconds: [0.05, 0.05, 0.05] } });
  const { run_id } = await clientOf(server).runs.create(null, "shout", { input, webhook: receiver.url });
  const told = await receiver.after(3);
  expect(told.map(({ headers }) => headers["webhook-id"])).toEqual([run_id, run_id, run_id]);
  const [first, , last] = told.map(({ body: { webhook_sent_at, ...rest } }) => ({ webhook_sent_at, rest }));
  expect(last?.rest).toEqual(first?.rest);
  expect(last?.webhook_sent_at).not.toBe(first?.webhook_sent_at);
  await untilDelivered(server);
});

test("a receiver that never takes it is given up, and the log says so", async () => {
  await using receiver = await startReceiver({ statuses: [500] });
  await using server = await serve({ webhooks: { ...allowed, retrySeconds: [0] } });
  const { run_id } = await clientOf(server).runs.create(null, "shout", { input, webhook: receiver.url });
  await receiver.after(2);
  await patiently(() => expect(server.errors).toHaveLength(1));
  expect(server.errors[0]).toEqual({
    fields: { run_id, attempts: 2, reason: "The receiver answered 500" },
    message: "A webhook was given up",
  });
  expect(await settled(server)).toMatchObject([
    { webhook_id: run_id, attempts: 2, failed: true, last_error: "The receiver answered 500" },
  ]);
});

test("a receiver that says it is gone for good is not told again", async () => {
  await using receiver = await startReceiver({ statuses: [410] });
  await using server = await serve();
  await clientOf(server).runs.create(null, "shout", { input, webhook: receiver.url });
  await receiver.after(1);
  await patiently(async () => expect(await settled(server)).toMatchObject([{ attempts: 1, failed: true }]));
});

test("a receiver that is down is told when it is back", async () => {
  const gone = await startReceiver();
  const port = Number(new URL(gone.url).port);
  await gone[Symbol.asyncDispose]();
  await using server = await serve({ webhooks: { ...allowed, retrySeconds: Array(200).fill(0.05) } });
  await clientOf(server).runs.create(null, "shout", { input, webhook: gone.url });
  await patiently(async () => {
    const waiting = await server.database.query("select last_error from langgraph.webhooks");
    expect(waiting).toEqual([{ last_error: expect.stringContaining("ECONNREFUSED") }]);
  });
  await using receiver = await startReceiver({ port });
  await receiver.after(1);
  await untilDelivered(server);
});

test("webhooks are signed with each of the secrets, as the official library verifies them", async () => {
  await using receiver = await startReceiver();
  const secrets = ["a", "b"].map((letter) => `whsec_${Buffer.alloc(24, letter).toString("base64")}`);
  vi.stubEnv("WEBHOOK_SECRETS", secrets.join(", "));
  await using server = await serve();
  vi.unstubAllEnvs();
  const { run_id } = await clientOf(server).runs.create(null, "shout", { input, webhook: receiver.url });
  const [told] = await receiver.after(1);
  const headers = z.record(z.string(), z.string()).parse(told?.headers);
  for (const secret of secrets)
    expect(new Webhook(secret).verify(told?.text ?? "", headers)).toMatchObject({ run_id });
  const other = `whsec_${Buffer.alloc(24, "c").toString("base64")}`;
  expect(() => new Webhook(other).verify(told?.text ?? "", headers)).toThrow("No matching signature");
  expect(() => new Webhook(secrets[0] ?? "").verify(`${told?.text} `, headers)).toThrow();
});

test("without a secret nothing is signed; headers of the app's are sent along", async () => {
  await using receiver = await startReceiver();
  await using server = await serve({ webhooks: { ...allowed, headers: { "x-tenant": "ours" } } });
  await clientOf(server).runs.create(null, "shout", { input, webhook: receiver.url });
  const [told] = await receiver.after(1);
  expect(told?.headers).toMatchObject({ "x-tenant": "ours", "webhook-timestamp": expect.any(String) });
  expect(told?.headers).not.toHaveProperty("webhook-signature");
});

test("a redirect is not followed", async () => {
  await using target = await startReceiver();
  await using receiver = await startReceiver({ statuses: [302], headers: { location: target.url } });
  await using server = await serve();
  await clientOf(server).runs.create(null, "shout", { input, webhook: receiver.url });
  await receiver.after(1);
  await patiently(async () =>
    expect(await settled(server)).toMatchObject([{ attempts: 1, last_error: "The receiver answered 302" }]),
  );
  expect(target.received).toEqual([]);
});

test("an address that is not public is refused at once, and says so", async () => {
  await using server = await serve({ webhooks: {} });
  for (const url of [
    "http://127.0.0.1:7071/",
    "http://2130706433/",
    "http://10.1.2.3/",
    "http://172.31.0.1/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://168.63.129.16/",
    "http://0.0.0.0/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[fe80::1]/",
    "http://[fd00:ec2::254]/",
    "http://[64:ff9b::a9fe:a9fe]/",
  ]) {
    const { status, body } = await server.post("/runs", { assistant_id: "shout", input, webhook: url });
    expect([url, status]).toEqual([url, 422]);
    expect(body).toMatchObject({
      detail: expect.stringMatching(/^webhook: .+ is not on the public internet$/),
    });
  }
});

test("a name of a private address is refused when it is called", async () => {
  await using receiver = await startReceiver();
  await using server = await serve({ webhooks: {} });
  const webhook = receiver.url.replace("127.0.0.1", "localhost");
  const { run_id } = await clientOf(server).runs.create(null, "shout", { input, webhook });
  await patiently(async () =>
    expect(await settled(server)).toMatchObject([
      {
        webhook_id: run_id,
        attempts: 1,
        failed: true,
        last_error: expect.stringContaining("RefusedAddress"),
      },
    ]),
  );
  expect(receiver.received).toEqual([]);
});

test.each([
  ["/internal", "a path of this server cannot be called back; give the URL of a receiver"],
  ["ftp://example.com", "expected an http or https URL"],
  ["nonsense", "expected an http or https URL"],
  ["http://hooks.example.com", "expected an https URL"],
  ["https://ada:secret@hooks.example.com", "must not have credentials in its URL"],
  ["https://example.com", "the domain example.com is not among those that webhooks may go to"],
  ["https://a.example.org", "the domain a.example.org is not among those that webhooks may go to"],
  ["https://hooks.example.com:8443", "the port 8443 is not among those that webhooks may go to"],
  [`https://hooks.example.com/${"a".repeat(80)}`, "longer than 80 characters"],
])("%s is no webhook", async (webhook, problem) => {
  await using server = await serve({
    webhooks: {
      requireHttps: true,
      allowedDomains: ["*.example.com", "example.org"],
      allowedPorts: [443],
      maxUrlLength: 80,
    },
  });
  const { status, body } = await server.post("/runs", { assistant_id: "shout", input, webhook });
  expect([status, body]).toEqual([422, { error: "invalid_request", detail: `webhook: ${problem}` }]);
});

test("a run that was stopped by the next one of its thread is told of", async () => {
  await using receiver = await startReceiver();
  const { graph, open, entered } = gated();
  await using server = await serve({ graphs: [{ name: "gated", graph }] });
  const client = clientOf(server);
  const { thread_id } = await client.threads.create();
  const first = await client.runs.create(thread_id, "gated", { input, webhook: receiver.url });
  await entered;
  await client.runs.create(thread_id, "gated", { input, multitaskStrategy: "interrupt" });
  const [told] = await receiver.after(1);
  expect(told?.body).toMatchObject({ run_id: first.run_id, status: "interrupted" });
  open();
});
