/** Serves an app on Azure Functions. */
import { app } from "@azure/functions";
import type { Doors, HttpFunction } from "../core/model.ts";
import { watchConnections } from "./connection.ts";
import { httpHandler } from "./http.ts";
import { Invocations } from "./invocations.ts";

export interface AzureApp extends AsyncDisposable {
  readonly functions: () => readonly HttpFunction[];
  /** Called with each invocation. */
  readonly doors: () => Doors;
}

/** Registers the app's functions. The host takes no more once the entry module has been imported, so call it there. */
export function serveOnAzure(served: AzureApp): void {
  const invocations = new Invocations();
  const doors = () => served.doors();

  watchConnections();
  app.setup({ enableHttpStream: true });
  for (const { name, route, methods, authLevel } of served.functions()) {
    app.http(name, {
      route,
      methods: [...methods],
      authLevel,
      handler: httpHandler(doors, authLevel, invocations),
    });
  }
  // Awaited by the host before it ends the process, for five seconds at most.
  app.hook.appTerminate(async () => {
    await Promise.all([invocations.stop(), served[Symbol.asyncDispose]()]);
  });
}
