import type { Case } from "../case.ts";

export const system: readonly Case[] = [
  {
    name: "system: it is there",
    run: async ({ send }) => {
      await send("GET", "/ok");
      await send("GET", "/nowhere");
    },
  },
];
