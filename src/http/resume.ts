/**
 * The routes behind a resume link: a page that shows what is asked, and the answer to it. Whoever has the link may do
 * both, without a key and without signing in: the link is the credential.
 */

import { z } from "zod";
import type { ResumeDeps } from "./resume-answers.ts";
import { AnswerForm, ResponseBody } from "./resume-schemas.ts";
import type { AnswerDocs, Route } from "./router.ts";

const QuestionAnswer = z.object({
  thread_id: z.string(),
  interrupt_id: z.string(),
  value: z.unknown().meta({ description: "What the interrupt asks." }),
  message: z.string().nullable(),
  choices: z
    .array(z.object({ label: z.string(), response: z.unknown() }))
    .nullable()
    .meta({ description: "If there are any, nothing else may be answered." }),
  expires_at: z.iso.datetime(),
});

const AnsweredAnswer = z.object({ run_id: z.uuid(), thread_id: z.string() });

const page = (description: string): AnswerDocs => ({ description, isPageToo: true });

const ERRORS = {
  404: page("There is no such link"),
  409: page("The thread has an active run; try again in a moment"),
  410: page("The link has been used, has expired, or its interrupt was answered in another way"),
  500: page("The server failed"),
  503: page("The database or the queue cannot be reached; the link is still good"),
};

/** Never rate limited: a token that is not ours costs no query, and a limit would. */
export function resumeRoutes(deps: ResumeDeps): readonly Route[] {
  const common = {
    path: "/resume/{token}",
    authLevel: "anonymous",
    permission: "public",
    isRateLimited: false,
  } as const;
  return [
    {
      ...common,
      method: "GET",
      handle: async (call) => (await import("./resume-answers.ts")).showLink(deps, call),
      docs: {
        // Hosts match in the order of these names: before the catch-all's.
        operationId: "link_page",
        summary: "Show what a resume link asks; answers nothing",
        tag: "resume links",
        responses: {
          200: { description: "What is asked", schema: QuestionAnswer, isPageToo: true },
          ...ERRORS,
        },
      },
    },
    {
      ...common,
      method: "POST",
      handle: async (call) => (await import("./resume-answers.ts")).answerLink(deps, call),
      docs: {
        operationId: "link_answer",
        summary: "Answer the interrupt of a resume link, once",
        tag: "resume links",
        body: ResponseBody,
        form: AnswerForm,
        responses: {
          202: { description: "The run that goes on with it", schema: AnsweredAnswer, isPageToo: true },
          400: page("The body is not JSON or over a limit"),
          422: page("A field is not what was expected, or not among the link's choices"),
          ...ERRORS,
        },
      },
    },
  ];
}
