/** Rehearses a deployment, and tries one that is there: `npm run rehearse -- --help`. */
import { tsImport } from "tsx/esm/api";

const { rehearse } = await tsImport("../test/support/rehearsal/main.ts", import.meta.url);
process.exitCode = await rehearse(process.argv.slice(2));
