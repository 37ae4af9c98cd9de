/** Serves an app on Azure Functions. */
import { app } from "@azure/functions";
import { systemClock } from "../clock.ts";
import type { Doors, HttpFunction } from "../core/model.ts";
import type { WakeUpQueue } from "../core/wake-ups.ts";
import { readAzureSettings } from "../host-settings.ts";
import { watchConnections } from "./connection.ts";
import { httpHandler } from "./http.ts";
import { Invocations } from "./invocations.ts";
import { storageQueue } from "./queue.ts";
import { queueHandler, timerHandler } from "./worker.ts";

export interface AzureApp extends AsyncDisposable {
  /** @throws TypeError for an app that must not be on the internet as it is */
  readonly checkDeployable: () => void;
  /** Called once, and before `functions`. */
  readonly doors: (host: { readonly queue: WakeUpQueue }) => Doors;
  readonly functions: () => readonly HttpFunction[];
}

/**
 * Registers the app's functions. The host takes no more once the entry module has been imported, so call it there.
 * @throws TypeError for an app without any access control that does not say `auth: "none"`
 */
export function serveOnAzure(served: AzureApp): void {
  served.checkDeployable();
  const settings = readAzureSettings();
  const { functionTimeoutMs } = settings;
  const queue = storageQueue(settings, systemClock);
  const invocations = new Invocations();
  const doors = served.doors({ queue });
  const door = { doors, invocations, functionTimeoutMs, clock: systemClock };

  watchConnections();
  app.setup({ enableHttpStream: true });
  for (const { name, route, methods, authLevel } of served.functions()) {
    app.http(name, { route, methods: [...methods], authLevel, handler: httpHandler(door, authLevel) });
  }
  // Named with its value, not as %RUN_QUEUE%: the host would refuse to start where that has no value.
  app.storageQueue("run_worker", {
    queueName: settings.queueName,
    connection: "AzureWebJobsStorage",
    handler: queueHandler(door),
  });
  app.timer("tick", { schedule: settings.tickSchedule, runOnStartup: false, handler: timerHandler(door) });
  // Awaited by the host before it ends the process, for five seconds at most.
  app.hook.appTerminate(async () => {
    await Promise.all([invocations.stop(), served[Symbol.asyncDispose]()]);
    await doors.flush(new AbortController().signal); // also what the last ones have told when they had ended
  });
}
