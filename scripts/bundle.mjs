/** The bundle settings that every deployment has (src/cli/bundle.ts), for scripts that run before anything is built. */
import { tsImport } from "tsx/esm/api";

export const { BUNDLE } = await tsImport("../src/cli/bundle.ts", import.meta.url);
