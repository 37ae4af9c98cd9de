/** What answers to resume links look like. */

import { z } from "zod";

export const ResponseBody = z.strictObject({
  response: z.json().meta({ description: "What the interrupt is answered with." }),
});

/** The fields of the page's form: one of them. */
export const AnswerForm = z.union([
  z.strictObject({
    choice: z
      .string()
      .regex(/^\d{1,3}$/, "must be the number of a choice, from 0 on")
      .meta({ description: "The place of the choice, from 0 on." }),
  }),
  z.strictObject({ text: z.string().min(1, "must not be empty") }),
]);
