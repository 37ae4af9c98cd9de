import { once } from "node:events";
import { createServer } from "node:http";
import { gunzipSync } from "node:zlib";

export interface LangSmith extends AsyncDisposable {
  readonly url: string;
  /** What was sent, call by call. */
  readonly told: readonly string[];
}

/** As much of LangSmith's API as its client needs to leave traces. */
export async function startLangSmith(): Promise<LangSmith> {
  const told: string[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const sent = Buffer.concat(await request.toArray());
      told.push((request.headers["content-encoding"] === "gzip" ? gunzipSync(sent) : sent).toString());
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ batch_ingest_config: { use_multipart_endpoint: false } }));
    })();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`,
    told,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
