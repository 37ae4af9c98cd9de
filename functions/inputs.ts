/** What each graph takes. With a schema, bad input gets a 422 that names the field, and the documentation an example. */
import { z } from "zod";

const Message = z
  .looseObject({
    role: z.enum(["user", "assistant", "system", "tool"]).optional(),
    type: z.enum(["human", "ai", "system", "tool"]).optional(),
    content: z.union([z.string(), z.array(z.looseObject({ type: z.string() }))]),
  })
  .refine((message) => message.role ?? message.type, {
    path: ["role"],
    message: "say who speaks: role or type",
  });

export const ChatInput = z
  .object({ messages: z.array(Message).min(1) })
  .meta({ examples: [{ messages: [{ role: "user", content: "My name is Ada. What is 6 * 7?" }] }] });

export const ApprovalInput = z
  .object({ request: z.string().min(1) })
  .meta({ examples: [{ request: "Tell ada@example.com that the meeting moves to Friday." }] });

export const DigestInput = z
  .object({
    documents: z
      .array(z.object({ title: z.string().default("Untitled"), text: z.string().max(1_000_000) }))
      .max(100)
      .default([])
      .meta({ description: "Text or markdown. Without any, the sample documents are read." }),
    maxSentences: z.int().min(1).max(20).default(3).meta({ description: "Of each document." }),
  })
  .meta({ examples: [{ maxSentences: 2 }] });
