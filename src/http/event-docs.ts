/** How the OpenAPI document tells of event streams. */

import { z } from "zod";
import type { AnswerDocs } from "./router.ts";

/** Of a stream, a schema in OpenAPI 3.1 describes each event. */
export const StreamEvent = z.object({
  event: z.string().optional(),
  data: z.string().meta({ contentMediaType: "application/json" }).optional(),
  id: z.string().optional().meta({ description: "For Last-Event-ID." }),
});

export function eventsDocs(description: string): AnswerDocs {
  return { description, contentType: "text/event-stream", schema: StreamEvent };
}
