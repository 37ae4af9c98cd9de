/** A Postgres that lets in as RDS does: over TLS only, with a signed token in the place of the password. */

import { spawnSync } from "node:child_process";
import { createHash, createHmac, randomUUID } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TLSSocket } from "node:tls";
import { Client } from "pg";
import { expect, vi } from "vitest";
import { startEmbeddedPostgres } from "langgraph-functions/local";
import { documentedSql } from "./roles.ts";

/** What signs tokens; it may be exchanged while the server runs. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface Rds extends AsyncDisposable {
  /** Of a role that has no password but a token; verifies the server's certificate. */
  readonly url: string;
  /** Of the certificate's authority. */
  readonly caFile: string;
  /** Who may sign; what others have signed is refused. */
  readonly allow: (credentials: Credentials) => void;
  /** The length of each token that was shown, and why it was refused. */
  readonly shown: readonly { readonly length: number; readonly refused: string | undefined }[];
  /** Ends the connections of the role that do nothing, and waits until their clients know. */
  readonly disconnect: () => Promise<number>;
}

const REGION = "eu-central-1";
const USER = "agents_app";

export async function startRds(migrate: (url: string) => Promise<void>): Promise<Rds> {
  const folder = await mkdtemp(join(tmpdir(), "langgraph-functions-rds-"));
  await chmod(folder, 0o755);
  const tls = await makeCertificate(folder);
  const postgres = await startEmbeddedPostgres({ folder, settings: { fsync: "off" } });
  const password = randomUUID();
  const admin = new Client({ connectionString: postgres.url });
  await admin.connect();
  await migrate(postgres.url);
  await admin.query(
    `create role rds_iam; create role ${USER} login password '${password}'; grant rds_iam to ${USER}`,
  );
  const names = { migrate: "postgres", app: USER, database: "postgres" };
  await admin.query((await documentedSql(names)).grants);
  const access = join(postgres.folder, "data", "pg_hba.conf");
  await writeFile(access, `host all +rds_iam 127.0.0.1/32 password\n${await readFile(access, "utf8")}`);
  await admin.query("select pg_reload_conf()");

  let allowed: Credentials = { accessKeyId: "", secretAccessKey: "" };
  const shown: { length: number; refused: string | undefined }[] = [];
  const front = await listen(tls, Number(new URL(postgres.url).port), (token, address) => {
    const refused = whyRefused(token, address, allowed);
    shown.push({ length: token.length, refused });
    return refused === undefined ? password : undefined;
  });
  return {
    url: `postgres://${USER}@${front.address}/postgres?sslmode=verify-full&sslrootcert=${tls.certFile}`,
    caFile: tls.certFile,
    allow: (credentials) => (allowed = credentials),
    shown,
    disconnect: async () => {
      const before = front.closed();
      const { rowCount } = await admin.query(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = $1 and state = 'idle'",
        [USER],
      );
      await vi.waitFor(() => expect(front.closed()).toBeGreaterThanOrEqual(before + (rowCount ?? 0)), {
        timeout: 15_000,
      });
      return rowCount ?? 0;
    },
    [Symbol.asyncDispose]: async () => {
      await front[Symbol.asyncDispose]();
      await admin.end();
      await postgres[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

interface Certificate {
  readonly cert: string;
  readonly key: string;
  readonly certFile: string;
}

/** For localhost, by an authority of its own. */
async function makeCertificate(folder: string): Promise<Certificate> {
  const [keyFile, certFile] = [join(folder, "server.key"), join(folder, "server.crt")];
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const files = ["-keyout", keyFile, "-out", certFile];
  const args = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...names, ...files];
  const { status, stderr, error } = spawnSync("openssl", args, { encoding: "utf8" });
  if (status !== 0)
    throw new Error(`These tests need the program openssl: ${stderr ?? ""}`, { cause: error });
  return { cert: await readFile(certFile, "utf8"), key: await readFile(keyFile, "utf8"), certFile };
}

/**
 * Why a token is none. Written after AWS' description of signatures, not after the SDK that signs.
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
function whyRefused(
  token: string,
  address: string,
  { accessKeyId, secretAccessKey }: Credentials,
): string | undefined {
  const url = new URL(`https://${token}`);
  const given = (name: string): string => url.searchParams.get(name) ?? "";
  if (url.host !== address) return `for ${url.host}, not ${address}`;
  if (given("Action") !== "connect" || given("DBUser") !== USER) return "for something else";
  const time = given("X-Amz-Date");
  const begin = Date.parse(time.replace(/^(....)(..)(..T..)(..)(..Z)$/, "$1-$2-$3:$4:$5"));
  const end = begin + Number(given("X-Amz-Expires")) * 1_000;
  if (!(begin <= Date.now() + 60_000 && Date.now() < end)) return "expired";
  const day = time.slice(0, 8);
  const scope = `${day}/${REGION}/rds-db/aws4_request`;
  if (given("X-Amz-Credential") !== `${accessKeyId}/${scope}`) return "signed by somebody else";
  const query = url.search
    .slice(1)
    .split("&")
    .filter((part) => !part.startsWith("X-Amz-Signature="))
    .sort();
  const request = ["GET", "/", query.join("&"), `host:${address}`, "", "host", digest("")].join("\n");
  const text = ["AWS4-HMAC-SHA256", time, scope, digest(request)].join("\n");
  const key = [day, REGION, "rds-db", "aws4_request"].reduce<string | Buffer>(hmac, `AWS4${secretAccessKey}`);
  return hmac(key, text).toString("hex") === given("X-Amz-Signature") ? undefined : "signed with another key";
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

/** The password of Postgres for a token that is good. */
type Exchange = (token: string, address: string) => string | undefined;

interface Front extends AsyncDisposable {
  /** `localhost:12345` */
  readonly address: string;
  /** How many connections both sides have closed. */
  readonly closed: () => number;
}

async function listen(tls: Certificate, target: number, exchange: Exchange): Promise<Front> {
  const sockets = new Set<Socket>();
  let closed = 0;
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => socket.destroy()));
    void admit(socket, tls, target, (token) => exchange(token, address)).then(
      (client) => client.once("close", () => (closed += 1)),
      () => socket.destroy(),
    );
  });
  server.listen(0, "localhost");
  await once(server, "listening");
  const bound = server.address();
  const address = `localhost:${typeof bound === "object" && bound !== null ? bound.port : 0}`;
  return {
    address,
    closed: () => closed,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** @see https://www.postgresql.org/docs/current/protocol-message-formats.html SSLRequest */
const SSL_REQUEST = 80_877_103;

async function admit(
  socket: Socket,
  { cert, key }: Certificate,
  target: number,
  exchange: (token: string) => string | undefined,
): Promise<Socket> {
  const first = await read(socket, 8);
  if (first.readUInt32BE(4) !== SSL_REQUEST) return refuse(socket, "no encryption");
  socket.write("S");
  const client = new TLSSocket(socket, { isServer: true, cert, key });
  client.on("error", () => socket.destroy());
  const length = await read(client, 4);
  const startup = await read(client, length.readUInt32BE() - 4);
  const server = connect(target, "127.0.0.1").on("error", () => client.destroy());
  client.on("close", () => server.destroy());
  server.write(Buffer.concat([length, startup]));
  client.write(await read(server, 9)); // AuthenticationCleartextPassword
  const header = await read(client, 5);
  const token = (await read(client, header.readUInt32BE(1) - 4)).toString().replace(/\0$/, "");
  const password = exchange(token);
  if (password === undefined) return refuse(client, `PAM authentication failed for user "${USER}"`);
  server.write(message("p", `${password}\0`));
  client.pipe(server).pipe(client);
  return client;
}

/** So many bytes, and not one more. */
async function read(socket: Socket, length: number): Promise<Buffer> {
  for (;;) {
    const bytes: unknown = socket.read(length);
    if (bytes instanceof Buffer && bytes.length === length) return bytes;
    if (socket.destroyed || socket.readableEnded) throw new Error("The other side has left");
    await Promise.race([once(socket, "readable"), once(socket, "close")]);
  }
}

function refuse(socket: Socket, text: string): Socket {
  return socket.end(message("E", `SFATAL\0VFATAL\0C28000\0M${text}\0\0`));
}

function message(type: string, text: string): Buffer {
  const bytes = Buffer.from(`${type}0000${text}`);
  bytes.writeUInt32BE(bytes.length - 1, 1);
  return bytes;
}
