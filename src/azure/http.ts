/** The first door on Azure. To anything but an answer `@azure/functions` lets the client hang, so there is always one. */
import type { HttpHandler } from "@azure/functions";
import type { Clock } from "../clock.ts";
import type { AuthLevel, Doors } from "../core/model.ts";
import { deliver } from "./body.ts";
import { hostsTrace } from "./trace.ts";
import { connectionOf } from "./connection.ts";
import { ClientLeft, type Invocations } from "./invocations.ts";
import { isEventStream } from "../event-stream.ts";
import { clientAddress, toAzureResponse, toWebRequest } from "./request.ts";

export interface HttpDoor {
  readonly doors: Doors;
  readonly invocations: Invocations;
  readonly functionTimeoutMs: number;
  readonly clock: Clock;
}

/** `authLevel` is what the host has verified before it calls the handler. */
export function httpHandler(door: HttpDoor, authLevel: AuthLevel): HttpHandler {
  const { doors, invocations, functionTimeoutMs, clock } = door;
  return async (request, context) => {
    const deadline = new Date(clock.now().getTime() + functionTimeoutMs);
    const controller = invocations.begin();
    let settled: Promise<unknown> = Promise.resolve();
    try {
      const connection = connectionOf(context.invocationId);
      if (!connection) return { status: 499 }; // read by nobody: the client has left already
      settled = connection.closed.then(() => {
        if (connection.hasLeft) controller.abort(new ClientLeft());
      });
      const address = clientAddress(request);
      const invocation = {
        signal: controller.signal,
        deadline,
        authLevel,
        isKeyVerified: true,
        requestId: context.invocationId,
        ...(address && { address }),
        ...hostsTrace(context),
      };
      const response = await doors.fetch(toWebRequest(request), invocation);
      const delivery = response.body && deliver(response.body, connection, isEventStream(response));
      settled = Promise.all([settled, delivery?.settled]);
      const init = toAzureResponse(response);
      connection.setCookies(response.headers.getSetCookie());
      return delivery && request.method !== "HEAD" ? { ...init, body: delivery.stream } : init;
    } catch (error) {
      context.error(error);
      return { status: 500, jsonBody: { error: "internal", detail: "Internal Server Error" } };
    } finally {
      void settled.then(() => invocations.end(controller));
    }
  };
}
