#!/usr/bin/env node
/** The program `langgraph-functions`. */

import { runCli } from "./run.ts";

process.exitCode = await runCli(process.argv.slice(2));
