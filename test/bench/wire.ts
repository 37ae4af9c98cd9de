/** Postgres' protocol, as far as one must read it to count. @see https://www.postgresql.org/docs/current/protocol-message-formats.html */

export interface WireCount {
  /** ReadyForQuery messages but for a connection's first: each is an answer that somebody waited for. */
  roundTrips: number;
  connections: number;
  /** In the order in which they were sent. */
  statements: string[];
}

export function noCount(): WireCount {
  return { roundTrips: 0, connections: 0, statements: [] };
}

/** Takes what one side sends, in whatever pieces, and calls back for each message with its type and body. */
export class WireReader {
  readonly #onMessage: (type: string, body: Buffer) => void;
  #rest: Buffer = Buffer.alloc(0);
  /** A client's first message has no type. */
  #isStarting: boolean;

  constructor(options: { readonly isClient: boolean }, onMessage: (type: string, body: Buffer) => void) {
    this.#isStarting = options.isClient;
    this.#onMessage = onMessage;
  }

  read(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const head = this.#isStarting ? 0 : 1;
      if (this.#rest.length < head + 4) return;
      const length = head + this.#rest.readUInt32BE(head);
      if (this.#rest.length < length) return;
      const type = this.#isStarting ? "" : String.fromCharCode(this.#rest[0] ?? 0);
      this.#isStarting = false;
      this.#onMessage(type, this.#rest.subarray(head + 4, length));
      this.#rest = this.#rest.subarray(length);
    }
  }
}

/** Counts one connection; give each side's bytes to its reader. */
export function countConnection(count: () => WireCount): {
  readonly client: WireReader;
  readonly server: WireReader;
} {
  let isReady = false;
  return {
    client: new WireReader({ isClient: true }, (type, body) => {
      if (type === "Q") count().statements.push(cString(body, 0).text);
      if (type === "P") count().statements.push(cString(body, cString(body, 0).end).text); // after the statement's name
    }),
    server: new WireReader({ isClient: false }, (type) => {
      if (type !== "Z") return;
      if (isReady) count().roundTrips += 1;
      else count().connections += 1;
      isReady = true;
    }),
  };
}

function cString(body: Buffer, start: number): { readonly text: string; readonly end: number } {
  const end = body.indexOf(0, start);
  return { text: body.toString("utf8", start, end), end: end + 1 };
}
