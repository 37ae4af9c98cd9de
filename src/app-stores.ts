/** The durable records of an app, each on its database. */

import type { GraphRegistry } from "./core/graphs.ts";
import { agenda, retention } from "./postgres/agenda.ts";
import { assistantStore, assistantVersionStore } from "./postgres/assistants.ts";
import { commandStore } from "./postgres/commands.ts";
import { cronCalendar, cronStore } from "./postgres/crons.ts";
import { endedThreads } from "./postgres/ended-threads.ts";
import { SCHEMA_VERSION } from "./postgres/migrate.ts";
import type { Database } from "./postgres/pool.ts";
import { resumeLinkStore } from "./postgres/resume-links.ts";
import { signStore } from "./postgres/sign-of-life.ts";
import { statusStore } from "./postgres/status.ts";
import { threadStorageStore } from "./postgres/thread-storage.ts";
import { threadStateStore, threadStore } from "./postgres/threads.ts";
import { webhookStore } from "./postgres/webhooks.ts";

export function openStores(database: Database, graphs: GraphRegistry) {
  return {
    graphs,
    threads: threadStore(database),
    threadStates: threadStateStore(database),
    threadStorage: threadStorageStore(database),
    assistants: assistantStore(
      database,
      graphs.list().map(({ name }) => name),
    ),
    assistantVersions: assistantVersionStore(database),
    changed: new Set<string>(),
    crons: cronStore(database),
    commands: commandStore(database),
    links: resumeLinkStore(database),
    signs: signStore(database),
    calendar: cronCalendar(database),
    webhooks: webhookStore(database),
    agenda: agenda(database),
    statuses: statusStore(database, SCHEMA_VERSION),
    endedThreads: endedThreads(database),
    retention: retention(database),
  };
}
