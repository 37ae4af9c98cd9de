/** What a link is answered with, and the run that comes of it. */

import { isDeepStrictEqual } from "node:util";
import { AppError } from "../errors.ts";
import { EVERYTHING, SYSTEM } from "./auth.ts";
import { PROTOCOL_STREAM_MODES } from "./commands.ts";
import type { GraphConfig } from "./config.ts";
import type { RunRef } from "./model.ts";
import {
  busy,
  findResumeLink,
  questionOf,
  type Look,
  type ResumeLinkDeps,
  type StoredLink,
} from "./resume-links.ts";
import { findRunAssistant, runAs } from "./run-assistants.ts";
import type { RunKwargs } from "./run-kwargs.ts";
import { createRun } from "./runs.ts";

/** One of the link's choices, by its place; text; or any JSON. */
export type LinkAnswer =
  { readonly choice: number } | { readonly text: string } | { readonly response: unknown };

/**
 * Answers the interrupt of a link, by the rules of the protocol's `input.respond`. Of several that answer at once, one
 * does; whoever is refused for another reason than that may try again. The answer is read when the link is known to be good.
 * @throws AppError as `findResumeLink` does; `invalid_request` for what is none of its choices; as `createRun` does
 */
export async function answerResumeLink(
  deps: ResumeLinkDeps,
  token: string,
  read: () => Promise<LinkAnswer>,
): Promise<RunRef> {
  const link = await findResumeLink(deps, token);
  const response = responseOf(link, await read());
  const { thread_id, interrupt_id, kwargs } = link;
  const after = await deps.log.newestSeq(thread_id, EVERYTHING);
  const found = await findRunAssistant(deps, SYSTEM, link.assistant_id);
  const { run_id } = await runAs(deps, found, async (assistant) =>
    createRun(usingUp(deps, link, token), SYSTEM, {
      graph: assistant.graph,
      assistant,
      input: { command: { resume: { [interrupt_id]: response } } },
      config: withoutCheckpoint(kwargs.config),
      metadata: { graph_id: assistant.graph.name, assistant_id: assistant.assistant_id },
      threadId: thread_id,
      createsThread: false,
      streamModes: PROTOCOL_STREAM_MODES,
      multitaskStrategy: "enqueue",
      settings: {
        subgraphs: true,
        protocol: { after },
        ...(kwargs.context === undefined ? {} : { context: kwargs.context }),
      },
    }),
  );
  return { run_id, thread_id };
}

/** The run is admitted if the link can be used up, in one. */
function usingUp(deps: ResumeLinkDeps, link: StoredLink, token: string): ResumeLinkDeps {
  const isAsked = async (look: Look): Promise<boolean> => (await questionOf(look, link))?.isBusy === false;
  const admit: ResumeLinkDeps["runs"]["admit"] = async (run, now) => {
    const asGoingOn = { ...run, kwargs: { ...keptKwargs(link), ...run.kwargs } };
    const admission = await deps.links.answer(link, asGoingOn, now, isAsked);
    if (admission !== null) return admission;
    await findResumeLink(deps, token); // which says what has become of it since
    throw busy();
  };
  return { ...deps, runs: { ...deps.runs, admit } };
}

type KeptKwargs = Omit<RunKwargs, "input" | "command" | "config" | "stream_mode">;

/** What goes on as it was with the run that asked. What another user's request has left with it is not for this one. */
function keptKwargs({ kwargs, principal }: StoredLink): KeptKwargs {
  const { input: _, command: _answer, config: _config, stream_mode: _modes, ...asked } = kwargs;
  const { interrupt_before: _before, interrupt_after: _after, keeps_output: _output, ...rest } = asked;
  const { ends_with_client: _client, ...kept } = rest;
  if (principal === null) return kept;
  const { request_headers: _headers, made_context: _context, ...others } = kept;
  const isSame = principal.user?.identity === kwargs.principal?.user?.identity;
  return { ...(isSame ? kept : others), principal };
}

/** @throws AppError `invalid_request` */
function responseOf({ choices }: StoredLink, answer: LinkAnswer): unknown {
  if ("choice" in answer) {
    const choice = choices?.[answer.choice];
    if (choice === undefined) throw new AppError("invalid_request", "choice: the link has no such choice");
    return choice.response;
  }
  if ("text" in answer) {
    if (choices !== null) throw new AppError("invalid_request", "text: the link has choices; send choice");
    return answer.text;
  }
  const { response } = answer;
  if (choices !== null && !choices.some((choice) => isDeepStrictEqual(choice.response, response)))
    throw new AppError("invalid_request", "response: must be the response of one of the link's choices");
  return response;
}

/** The answer belongs to the newest state, wherever the run that asked began. */
function withoutCheckpoint(config: GraphConfig = {}): GraphConfig {
  const { metadata: _, configurable = {}, ...rest } = config;
  const { checkpoint_id: _id, checkpoint_ns: _ns, checkpoint_map: _map, ...configured } = configurable;
  return { ...rest, configurable: configured };
}
