/** What routes say that they ask of their callers, held against what they really ask. */

import { AUTH_EVENTS, type AuthEvent, type Caller, type Permission } from "../core/auth.ts";

const EVENTS: ReadonlySet<unknown> = new Set(AUTH_EVENTS);

/** Of a route. */
interface Declared {
  readonly method: string;
  readonly path: string;
  readonly permission: Permission;
}

/** @throws TypeError for a route that does not say what its callers must be allowed to do: it would be served to all */
export function checkDeclared({ method, path, permission }: Declared): void {
  const events: readonly unknown[] = [permission].flat();
  const isDeclared = events.length > 0 && events.every((event) => EVENTS.has(event));
  if (isDeclared || permission === "public" || permission === "signed-in") return;
  throw new TypeError(`${method} ${path} does not declare which permission its callers need`);
}

export interface WatchedCaller {
  readonly caller: Caller;
  /** @throws Error when the route has answered without having asked what it says that it asks */
  readonly checkAsked: () => void;
}

export function watchCaller(caller: Caller, { method, path, permission }: Declared): WatchedCaller {
  const asked = new Set<AuthEvent>();
  return {
    caller: {
      ...caller,
      authorize: async (event, value) => {
        asked.add(event);
        return caller.authorize(event, value);
      },
    },
    checkAsked: () => {
      const events = eventsOf(permission);
      if (events.length === 0 || events.some((event) => asked.has(event))) return;
      throw new Error(`${method} ${path} has answered without asking for ${events.join(" or ")}`);
    },
  };
}

function eventsOf(permission: Permission): readonly AuthEvent[] {
  if (permission === "public" || permission === "signed-in") return [];
  return typeof permission === "string" ? [permission] : permission;
}
