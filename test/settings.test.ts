import { describe, expect, test } from "vitest";
import { readLambdaSettings, readLocalSettings } from "../src/host-settings.ts";
import { readSettings } from "../src/settings.ts";

/** So that nothing depends on the environment in which the tests run. */
const nothing = {
  DATABASE_URL: undefined,
  DATABASE_POOL_SIZE: undefined,
  DATABASE_MIGRATE: undefined,
  DATABASE_TIMEOUT_SECONDS: undefined,
  LOG_LEVEL: undefined,
  LANGGRAPH_CONFIG: undefined,
  ENCRYPTION_KEYS: undefined,
  RUN_LEASE_SECONDS: undefined,
  EVENT_RETENTION_HOURS: undefined,
  PORT: undefined,
  HOST: undefined,
  FUNCTION_KEY: undefined,
  ADMIN_KEY: undefined,
  WEBHOOK_SECRETS: undefined,
  RESUME_LINK_SECRETS: undefined,
  PUBLIC_URL: undefined,
};
const DATABASE_URL = "postgres://ada:secret@db.example/agents";

function problemsOf(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    if (error instanceof Error) return error.message;
  }
  return "none";
}

describe("a deployed server", () => {
  test("needs a database, and nothing else", () => {
    expect(readSettings({ ...nothing, DATABASE_URL })).toEqual({
      database: { url: DATABASE_URL, poolSize: 4, migrate: true, timeoutMs: 15_000 },
      logLevel: "info",
      leaseMs: 30_000,
      eventRetentionMs: 86_400_000,
      webhookSecrets: [],
      resumeLinkSecrets: [],
    });
    expect(problemsOf(() => readSettings(nothing))).toBe(
      "These settings are missing or wrong:\n  DATABASE_URL is not set\nThe README has a table of all settings.",
    );
  });

  test("takes what is set", () => {
    const variables = {
      DATABASE_URL,
      DATABASE_POOL_SIZE: "9",
      DATABASE_MIGRATE: "false",
      DATABASE_TIMEOUT_SECONDS: "30",
      LOG_LEVEL: "debug",
      RUN_LEASE_SECONDS: "60",
      EVENT_RETENTION_HOURS: "1",
    };
    expect(readSettings(variables)).toEqual({
      database: { url: DATABASE_URL, poolSize: 9, migrate: false, timeoutMs: 30_000 },
      logLevel: "debug",
      leaseMs: 60_000,
      eventRetentionMs: 3_600_000,
      webhookSecrets: [],
      resumeLinkSecrets: [],
    });
  });

  test("takes both names of the protocol", () => {
    for (const url of ["postgres://host/db", "postgresql://host/db", "postgres:///db?host=/run/postgresql"]) {
      expect(readSettings({ ...nothing, DATABASE_URL: url }).database.url).toBe(url);
    }
  });
});

describe("the secrets that sign webhooks", () => {
  const secret = (bytes: number) => `whsec_${Buffer.alloc(bytes, "a").toString("base64")}`;
  const read = (WEBHOOK_SECRETS: string) => readSettings({ ...nothing, DATABASE_URL, WEBHOOK_SECRETS });

  test("may be several", () => {
    expect(read(`${secret(24)}, ${secret(64)}\n`).webhookSecrets).toEqual([secret(24), secret(64)]);
  });

  test.each([["hidden"], [secret(23)], [secret(65)], [`${secret(24)};${secret(24)}`]])(
    "are whsec_ and 24 to 64 bytes, unlike %s",
    (text) => {
      expect(problemsOf(() => read(text))).toMatch(/WEBHOOK_SECRETS: must be secrets of 24 to 64 bytes/);
      expect(problemsOf(() => read(text))).not.toContain(text);
    },
  );
});

describe("the secrets that sign resume links", () => {
  const secret = (bytes: number) => "s".repeat(bytes);
  const read = (RESUME_LINK_SECRETS: string) =>
    readSettings({ ...nothing, DATABASE_URL, RESUME_LINK_SECRETS });

  test("may be several, of any text that is long enough", () => {
    expect(read(`${secret(32)}, ${"ü".repeat(16)}\n`).resumeLinkSecrets).toEqual([
      secret(32),
      "ü".repeat(16),
    ]);
  });

  test.each([["hidden"], [secret(31)], [`${secret(32)},${secret(31)}`]])(
    "are not shorter, like %s",
    (text) => {
      expect(problemsOf(() => read(text))).toMatch(
        /RESUME_LINK_SECRETS: must be secrets of 32 bytes or more/,
      );
      expect(problemsOf(() => read(text))).not.toContain(text);
    },
  );
});

describe("the public address", () => {
  const read = (PUBLIC_URL: string) => readSettings({ ...nothing, DATABASE_URL, PUBLIC_URL }).publicUrl;

  test("is taken without slashes at its end", () => {
    expect(read("https://agents.example.com/api//")).toBe("https://agents.example.com/api");
    expect(read("http://127.0.0.1:7071")).toBe("http://127.0.0.1:7071");
  });

  test.each([
    "agents.example.com",
    "ftp://agents.example.com",
    "https://a.example/?x=1",
    "https://a.example/#x",
  ])("is a URL, unlike %s", (url) => expect(problemsOf(() => read(url))).toContain("PUBLIC_URL: must "));
});

describe("the local server", () => {
  test("needs nothing", () => {
    expect(readLocalSettings(nothing)).toMatchObject({
      port: 7071,
      host: "127.0.0.1",
      databaseUrl: undefined,
      keys: { function: undefined, admin: undefined },
    });
  });

  test("counts an empty variable as one that is not set", () => {
    const empty = Object.fromEntries(Object.keys(nothing).map((name) => [name, ""]));
    expect(readLocalSettings(empty)).toMatchObject({ port: 7071, host: "127.0.0.1", databaseUrl: undefined });
  });

  test("gives the app the settings of a deployed one, with the database that it has found", () => {
    const settings = readLocalSettings({ ...nothing, DATABASE_POOL_SIZE: "9", LOG_LEVEL: "silent" });
    expect(settings.app(DATABASE_URL)).toEqual({
      database: { url: DATABASE_URL, poolSize: 9, migrate: true, timeoutMs: 15_000 },
      logLevel: "silent",
      leaseMs: 30_000,
      eventRetentionMs: 86_400_000,
      webhookSecrets: [],
      resumeLinkSecrets: [],
    });
  });
});

test("all that is wrong is told at once, in the order of the table, and no value is shown", () => {
  const wrong = {
    DATABASE_URL: "mysql://ada:secret@db.example/agents",
    DATABASE_POOL_SIZE: "-0.5",
    DATABASE_MIGRATE: "yes",
    LOG_LEVEL: "loud",
    PORT: "65536",
  };
  expect(problemsOf(() => readLocalSettings({ ...nothing, ...wrong }))).toMatchInlineSnapshot(`
    "These settings are missing or wrong:
      DATABASE_URL: must be a postgres:// URL, with what is special in its password percent-encoded
      DATABASE_POOL_SIZE: must be a whole number from 1 to 100
      DATABASE_MIGRATE: must be one of true, false
      LOG_LEVEL: must be one of debug, info, warn, error, silent
      PORT: must be a whole number from 0 to 65535
    The README has a table of all settings."
  `);
});

/** Of 32 bytes. */
const KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

describe("a deployment on Lambda", () => {
  const read = (variables: object) =>
    readLambdaSettings({ RUN_QUEUE_URL: undefined, SIGN_OF_LIFE_SECONDS: undefined, ...variables });

  test("asks clients for a sign of life after a minute, or as it is told, or never", () => {
    expect(read({})).toEqual({ queueUrl: undefined, signOfLifeMs: 60_000 });
    expect(read({ SIGN_OF_LIFE_SECONDS: "90" })).toMatchObject({ signOfLifeMs: 90_000 });
    expect(read({ SIGN_OF_LIFE_SECONDS: "0" })).toMatchObject({ signOfLifeMs: undefined });
  });

  test.for([
    ["SIGN_OF_LIFE_SECONDS", "-1"],
    ["SIGN_OF_LIFE_SECONDS", "901"],
    ["SIGN_OF_LIFE_SECONDS", "never"],
    ["RUN_QUEUE_URL", "runs"],
    ["RUN_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/1/runs.fifo"],
  ])("%s=%s is refused", ([name = "", value]) => {
    expect(problemsOf(() => read({ [name]: value }))).toContain(`  ${name}: must be `);
  });
});

test("takes keys to encrypt with, the first one first", () => {
  const bytes = Buffer.from(KEY, "base64");
  const { database } = readSettings({
    ...nothing,
    DATABASE_URL,
    ENCRYPTION_KEYS: `new-1:${KEY}, old_1:${KEY}`,
  });
  expect(database.encryptionKeys).toEqual([
    { id: "new-1", bytes },
    { id: "old_1", bytes },
  ]);
  expect(
    problemsOf(() => readSettings({ ...nothing, DATABASE_URL, ENCRYPTION_KEYS: `${KEY}x` })),
  ).not.toContain(KEY);
});

test.for([
  ["PORT", "abc"],
  ["PORT", "-1"],
  ["PORT", "7071.5"],
  ["DATABASE_POOL_SIZE", "0"],
  ["DATABASE_POOL_SIZE", "101"],
  ["DATABASE_MIGRATE", "True"],
  ["DATABASE_URL", "db.example"],
  ["ENCRYPTION_KEYS", KEY.slice(1)],
  ["ENCRYPTION_KEYS", "id:c2hvcnQ="],
  ["ENCRYPTION_KEYS", `a:${KEY},`],
  ["ENCRYPTION_KEYS", `a b:${KEY}`],
  ["ENCRYPTION_KEYS", `a:${KEY},a:${KEY}`],
  ["DATABASE_URL", "postgres://ada:se#cret@db.example/agents"],
])("%s=%s is refused", ([name = "", value]) => {
  expect(problemsOf(() => readLocalSettings({ ...nothing, [name]: value }))).toContain(`  ${name}: must be `);
});
