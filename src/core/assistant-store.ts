/** The durable record of assistants and their versions, and of what is asked about them. */

import type { Scope } from "./auth.ts";
import type { WireConfig } from "./config.ts";
import type { JsonObject } from "./model.ts";

/** What a version holds. */
export interface AssistantContent {
  readonly graph_id: string;
  readonly name: string;
  readonly description: string | null;
  readonly config: WireConfig;
  readonly context: JsonObject;
  readonly metadata: JsonObject;
}

export interface AssistantVersion extends AssistantContent {
  readonly assistant_id: string;
  readonly version: number;
  readonly created_at: Date;
}

/** An assistant as clients see it. */
export interface Assistant extends AssistantVersion {
  readonly updated_at: Date;
}

/** As the database keeps it: null stands for what the graph of a default assistant is registered with. */
export type Stored<Version extends AssistantVersion> = Omit<Version, "config" | "context"> & {
  readonly config: WireConfig | null;
  readonly context: JsonObject | null;
};

/** What is absent stays as it is. */
export interface AssistantPatch {
  readonly graph_id: string | undefined;
  readonly name: string | undefined;
  readonly description: string | undefined;
  readonly config: WireConfig | undefined;
  readonly context: JsonObject | undefined;
  /** Laid over the assistant's, key by key. */
  readonly metadata: JsonObject;
}

/** Which assistants; a filter that is absent lets all pass. */
export interface AssistantFilter {
  /** Contained in the assistant's. */
  readonly metadata: JsonObject | undefined;
  readonly graph_id: string | undefined;
  /** Part of the assistant's, in whatever case. */
  readonly name: string | undefined;
  /** Graphs whose assistants are not for the caller. */
  readonly notOf: readonly string[];
}

export interface AssistantPage {
  readonly limit: number;
  readonly offset: number;
  readonly sort_by: "assistant_id" | "graph_id" | "name" | "created_at" | "updated_at";
  readonly sort_order: "asc" | "desc";
}

/** An assistant to store. */
export interface NewAssistant extends AssistantContent {
  readonly assistant_id: string;
  /** Whom it belongs to; null where callers are not told apart. */
  readonly owner: string | null;
}

/**
 * The durable record of assistants. Default ones of registered graphs are always there, for all to read; `now` is when
 * they came to be.
 */
export interface AssistantStore {
  readonly get: (assistant_id: string, scope: Scope, now: Date) => Promise<Stored<Assistant> | null>;
  /** Null when there is one of this id, within reach or not. */
  readonly create: (assistant: NewAssistant, now: Date) => Promise<Stored<Assistant> | null>;
  /** Makes the next version, in force at once. */
  readonly update: (
    assistant_id: string,
    scope: Scope,
    patch: AssistantPatch,
    now: Date,
  ) => Promise<Stored<Assistant> | null>;
  /** With all its versions; a default one is then as on the first day. */
  readonly remove: (assistant_id: string, scope: Scope, now: Date) => Promise<boolean>;
  readonly search: (
    filter: AssistantFilter,
    scope: Scope,
    page: AssistantPage,
    now: Date,
  ) => Promise<readonly Stored<Assistant>[]>;
  readonly count: (filter: AssistantFilter, scope: Scope, now: Date) => Promise<number>;
}

/** A part of an assistant's versions. */
export interface VersionPage {
  readonly metadata: JsonObject | undefined;
  readonly limit: number;
  readonly offset: number;
}

export interface AssistantVersionStore {
  /** The newest first. */
  readonly list: (
    assistant_id: string,
    scope: Scope,
    page: VersionPage,
  ) => Promise<readonly Stored<AssistantVersion>[]>;
  /** Puts a version in force; null when there is none of this number. */
  readonly activate: (
    assistant_id: string,
    scope: Scope,
    version: number,
    now: Date,
  ) => Promise<Stored<Assistant> | null>;
}
