/** What the Lambda runtime for Node.js puts into a global object. */

/**
 * Where a streamed response goes: not a stream of Node's but a part of one. Never destroy it with an error: the runtime
 * then ends the process, whereas what the handler throws is reported to the client's front, and the process lives on.
 */
export interface ResponseStream {
  readonly write: (chunk: Uint8Array | string) => boolean;
  readonly end: (done: () => void) => void;
  readonly on: (event: "drain", listener: () => void) => unknown;
  readonly off: (event: "drain", listener: () => void) => unknown;
  readonly setContentType: (contentType: string) => void;
}

export interface StreamingRuntime {
  /** Marks a handler as one that takes a stream, and returns it. */
  readonly streamifyResponse: <Handler>(handler: Handler) => Handler;
  readonly HttpResponseStream: {
    /** The same stream, whose first write sends the prelude, too: one that is never written to has neither. */
    readonly from: (stream: ResponseStream, prelude: object) => ResponseStream;
  };
}

/** Undefined where responses cannot be streamed. The global object alone proves nothing: the AWS SDK makes one, too. */
export function streamingRuntime(): StreamingRuntime | undefined {
  const runtime: unknown = Reflect.get(globalThis, "awslambda");
  return isStreaming(runtime) ? runtime : undefined;
}

function isStreaming(runtime: unknown): runtime is StreamingRuntime {
  if (typeof runtime !== "object" || runtime === null) return false;
  return "streamifyResponse" in runtime && typeof runtime.streamifyResponse === "function";
}
