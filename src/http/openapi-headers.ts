/** The headers that our routes read and answer with, as the OpenAPI document tells of them. */

export const REQUEST_HEADERS = {
  "Idempotency-Key": {
    description:
      "1 to 255 printable ASCII characters. The same request with the same key is carried out once, and answered as the first time.",
    schema: { type: "string", pattern: "^[ -~]{1,255}$" },
  },
  "Last-Event-ID": {
    description: "The id of the last event that the client has; - or -1 for the beginning.",
    schema: { type: "string" },
  },
  "If-Match": {
    description: "The ETag of the state that the edit is made to; it is refused when there is a newer one.",
    schema: { type: "string", pattern: '^ *"?[\\\\w-]+"? *$' },
  },
  Prefer: {
    description: "`return=minimal` for an answer without a body.",
    schema: { type: "string" },
  },
} as const;

export type RequestHeader = keyof typeof REQUEST_HEADERS;

const text = { type: "string" } as const;
const count = { type: "integer", minimum: 0 } as const;

export const ANSWER_HEADERS = {
  "Content-Location": { description: "Where the run is, below the prefix of all paths.", schema: text },
  ETag: { description: "The id of the checkpoint, for If-Match.", schema: text },
  "Idempotent-Replayed": {
    description: "The request came before, with this Idempotency-Key.",
    schema: { const: "true" },
  },
  Location: {
    description: "Where to go on when the connection breaks, below the prefix of all paths.",
    schema: text,
  },
  RateLimit: { description: "What is left of the limit, and until when.", schema: text },
  "RateLimit-Policy": { description: "The limit.", schema: text },
  "Retry-After": { description: "Seconds.", schema: count },
  "WWW-Authenticate": { description: "Which credentials are wanted.", schema: text },
  "X-Pagination-Next": { description: "The offset of the next page, if there is one.", schema: count },
  "X-Pagination-Total": {
    description: "How many match, as far as they have been counted.",
    schema: count,
  },
} as const;

export type AnswerHeader = keyof typeof ANSWER_HEADERS;
