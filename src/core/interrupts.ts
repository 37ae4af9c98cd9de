/** How LangGraph shows interrupts, and tells them apart. */

/** What a state has besides its own fields where a run waits. */
export const INTERRUPT = "__interrupt__";

/** An answer that has other names is one answer, for the one that waits. */
export const INTERRUPT_ID: RegExp = /^[0-9a-f]{32}$/;
