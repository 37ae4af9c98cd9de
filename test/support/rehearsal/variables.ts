/** The variables that the infrastructure sets, where the database is one that is there already. */

import { z } from "zod";
import { bicepSources, environmentOf } from "../bicep/deployment.ts";
import { evaluate } from "../bicep/evaluate.ts";
import { readModule } from "../hcl.ts";

type Variables = Readonly<Record<string, string>>;

/** Who signs in to the storage account, and how; with an emulator, a connection string is in the place of these. */
const OF_IDENTITY = /^AzureWebJobsStorage__/;

/** Of infra/azure, for an environment with this database and nothing else that is said. */
export async function azureVariables(databaseUrl: string, connectionString: string): Promise<Variables> {
  const sources = await bicepSources("infra/azure");
  const given = { environmentName: "rehearsal", location: "westeurope", databaseUrl };
  const settings = environmentOf(evaluate(sources, "infra/azure/main.bicep", given));
  const kept = Object.entries(settings).filter(([name]) => !OF_IDENTITY.test(name));
  return { ...Object.fromEntries(kept), AzureWebJobsStorage: connectionString };
}

const Defaults = z.record(z.string(), z.unknown());
/** Not null, and no empty list: those leave a variable out. */
const Value = z.union([z.string(), z.number(), z.boolean()]);
const Seconds = z.union([z.number(), z.string().regex(/^\$\{var\.\w+\}$/)]);
const Functions = z.record(z.enum(["http", "worker", "schedule"]), z.object({ timeout: Seconds }));

export interface LambdaVariables {
  readonly environment: Variables;
  /** By the names of the functions. */
  readonly timeoutMs: Readonly<Record<"http" | "worker" | "schedule", number>>;
}

/**
 * Of infra/aws, with what is given in the place of variables' defaults. What has no default is left to the code, as there.
 * @throws Error that names what is given and is no setting
 */
export async function lambdaVariables(given: Variables): Promise<LambdaVariables> {
  const { locals, variables } = await readModule("infra/aws");
  const defaultOf = (name: string): unknown => variables.get(name)?.["default"];
  const names = Object.keys(Defaults.parse(locals["settings"]));
  const wiring = Object.keys(Defaults.parse(locals["wiring"]));
  const unknown = Object.keys(given).filter((name) => !names.includes(name) && !wiring.includes(name));
  if (unknown.length > 0) throw new Error(`infra/aws does not set ${unknown.join(", ")}`);
  const settings = names.flatMap((name) => {
    const { data } = Value.safeParse(defaultOf(name.toLowerCase()));
    return data === undefined ? [] : [[name, String(data)] as const];
  });
  const { http, worker, schedule } = Functions.parse(locals["functions"]);
  const ms = ({ timeout }: z.output<typeof Functions>["http"]): number =>
    1000 * z.number().parse(typeof timeout === "number" ? timeout : defaultOf(timeout.slice(6, -1)));
  return {
    environment: { ...Object.fromEntries(settings), DATABASE_AUTH: "password", ...given },
    timeoutMs: { http: ms(http), worker: ms(worker), schedule: ms(schedule) },
  };
}
