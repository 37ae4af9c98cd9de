import { expect, test } from "vitest";
import { readLocalSettings } from "../../src/host-settings.ts";
import { readSettings } from "../../src/settings.ts";

const problemsOf = (DATABASE_AUTH: string, DATABASE_URL: string): string => {
  try {
    readSettings({ DATABASE_AUTH, DATABASE_URL });
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
};

test.each([
  ["postgres://app:secret@db.example.com/agents?sslmode=verify-full", "must have no password"],
  ["postgres://app@db.example.com/agents?sslmode=verify-full&password=secret", "must have no password"],
  ["postgres://db.example.com/agents?sslmode=verify-full", "must name the user"],
  ["postgres://app@db.example.com/agents", "must have sslmode=verify-full"],
  ["postgres://app@db.example.com/agents?sslmode=disable", "must have sslmode=verify-full"],
  ["postgres://app@db.example.com/agents?sslmode=no-verify", "must have sslmode=verify-full"],
  ["postgres://app@db.example.com/agents?sslmode=prefer", "must have sslmode=verify-full"],
  [
    "postgres://app@db.example.com/agents?uselibpqcompat=true&sslmode=require",
    "must have sslmode=verify-full",
  ],
  ["postgres://app@127.0.0.1.example.com/agents", "must have sslmode=verify-full"],
  [
    "postgres://app@db.example.com/agents?sslmode=verify-full&sslmode=disable",
    "must have sslmode=verify-full",
  ],
  [
    "postgres://app@localhost/agents?host=db.example.com",
    "must name host, port and user before its path only",
  ],
])("with tokens, %s is refused, by the names of the settings", (url, problem) => {
  for (const auth of ["entra", "rds-iam"])
    expect(problemsOf(auth, url)).toContain(`\n  DATABASE_URL: ${problem} where DATABASE_AUTH is ${auth}\n`);
  expect(problemsOf("entra", url)).not.toContain("secret");
  expect(problemsOf("password", url)).toBe("");
});

test.each([
  "postgres://app@db.example.com/agents?sslmode=verify-full",
  "postgres://app@db.example.com:6432/agents?sslmode=require",
  "postgres://my%20app@db.example.com/agents?ssl=true",
  "postgres://app@127.0.0.1:5432/agents",
  "postgres://app@localhost/agents",
])("with tokens, %s is good", (url) => {
  for (const auth of ["entra", "rds-iam"]) expect(problemsOf(auth, url)).toBe("");
});

test("a way to sign in that there is not is refused", () => {
  expect(problemsOf("oauth", "postgres://app@db/agents")).toContain(
    "DATABASE_AUTH: must be one of password, entra, rds-iam",
  );
});

test("the embedded Postgres has its password, whatever the database in the cloud wants", () => {
  const tokensOf = (DATABASE_URL: string) =>
    readLocalSettings({ DATABASE_AUTH: "entra", DATABASE_URL }).app(
      DATABASE_URL || "postgres://app:own@localhost/agents",
    ).database.tokens;
  expect(tokensOf("")).toBeUndefined();
  expect(tokensOf("postgres://app@localhost/agents")).toBeTypeOf("function");
});
