/** What resume links answer, as pages for browsers and as JSON for programs. Imported with the first link that is opened. */

import { answerResumeLink, type LinkAnswer } from "../core/resume-answers.ts";
import { findResumeLink, type ResumeLinkDeps } from "../core/resume-links.ts";
import { checkComplexity, parse, readObject, readText, type BodyLimits } from "./body.ts";
import { errorResponse, json, publicError } from "./respond.ts";
import { donePage, failurePage, PAGE_HEADERS, questionPage } from "./resume-page.ts";
import { AnswerForm, ResponseBody } from "./resume-schemas.ts";
import type { Call } from "./router.ts";

export interface ResumeDeps extends ResumeLinkDeps {
  readonly limits: BodyLimits;
}

/** Programs that look at links before people do, such as a mail server's, change nothing by it. */
export async function showLink(deps: ResumeDeps, call: Call): Promise<Response> {
  return answering(deps, call, async () => {
    const link = await findResumeLink(deps, tokenOf(call));
    const { thread_id, interrupt_id, value, message, choices, expires_at } = link;
    if (!wantsJson(call.request)) return questionPage(link);
    return json({ thread_id, interrupt_id, value, message, choices, expires_at });
  });
}

export async function answerLink(deps: ResumeDeps, call: Call): Promise<Response> {
  return answering(deps, call, async () => {
    const started = await answerResumeLink(deps, tokenOf(call), async () => readAnswer(deps, call.request));
    return wantsJson(call.request) ? json(started, 202) : donePage();
  });
}

/** Errors as the caller wants them; and whatever it is, nobody keeps it, lists it, frames it, or is told where it came from. */
async function answering(
  { logger }: ResumeDeps,
  { request }: Call,
  answer: () => Promise<Response>,
): Promise<Response> {
  const response = await answer().catch((error: unknown) =>
    wantsJson(request) ? errorResponse(error, logger) : failurePage(publicError(error, logger)),
  );
  for (const [name, value] of Object.entries(PAGE_HEADERS)) response.headers.set(name, value);
  return response;
}

async function readAnswer({ limits }: ResumeDeps, request: Request): Promise<LinkAnswer> {
  if (!isForm(request)) return parse(ResponseBody, await readObject(request, limits));
  const fields = [...new URLSearchParams(await readText(request, limits.maxBodyBytes))];
  checkComplexity(fields, limits);
  const form = await parse(AnswerForm, Object.fromEntries(fields));
  if ("choice" in form) return { choice: Number(form.choice) };
  return { text: form.text.replaceAll("\r\n", "\n") }; // which is how forms send the end of a line
}

/** A browser says that it takes pages; a program that sends JSON is answered in it. */
function wantsJson({ headers }: Request): boolean {
  const accept = headers.get("accept") ?? "";
  if (accept.includes("text/html")) return false;
  return accept.includes("application/json") || (headers.get("content-type") ?? "").includes("json");
}

function isForm({ headers }: Request): boolean {
  return /^application\/x-www-form-urlencoded\b/i.test(headers.get("content-type") ?? "");
}

function tokenOf({ params }: Call): string {
  return params["token"] ?? "";
}
