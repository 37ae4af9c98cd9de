/**
 * Preloaded before `aws-lambda-ric`: stands in for its native addon, which needs a compiler. All else of the runtime is
 * genuine. The addon speaks to the Runtime API, too; it blocks while it posts, here the next request waits for that.
 */
import http from "node:http";
import Module from "node:module";

const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
let posted = Promise.resolve();

function call(method, path, body, headers = {}) {
  const url = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation/${path}`;
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, agent, headers }, async (response) => {
      const chunks = await response.toArray();
      resolve({ bodyJson: Buffer.concat(chunks).toString(), headers: response.headers });
    });
    request.on("error", reject);
    request.end(body);
  });
}

const client = {
  next: async () => {
    await posted;
    return call("GET", "next");
  },
  done: (id, body) => {
    posted = call("POST", `${id}/response`, body, { "content-type": "application/json" });
  },
  error: (id, body) => {
    posted = call("POST", `${id}/error`, body, { "content-type": "application/json" });
  },
};

const load = Module._load;
Module._load = (name, ...rest) => (name === "./rapid-client.node" ? client : load(name, ...rest));
