/** Documents to try the digest on. They are modules, not files, so that a bundle carries them along. */
import { text as connectionPools } from "./connection-pools.ts";
import { text as heatPumps } from "./heat-pumps.ts";
import { text as tideTables } from "./tide-tables.ts";
import { text as utf8 } from "./utf-8.ts";

export const samples: { title: string; text: string }[] = [
  { title: "Connection pools and short-lived processes", text: connectionPools },
  { title: "How a tide table is computed", text: tideTables },
  { title: "Why a heat pump works in winter", text: heatPumps },
  { title: "What makes UTF-8 a good encoding", text: utf8 },
];
