import { EventSourceParserStream } from "eventsource-parser/stream";

export interface ServerEvent {
  readonly event: string | undefined;
  readonly data: unknown;
}

/** The events of a stream as they come, read by a parser that is not ours. */
export async function* readEvents(response: Response): AsyncGenerator<ServerEvent> {
  if (response.body === null) return;
  const events = response.body
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream());
  for await (const { event, data } of events) yield { event, data: JSON.parse(data) as unknown };
}

export async function allEvents(response: Response): Promise<ServerEvent[]> {
  const events: ServerEvent[] = [];
  for await (const event of readEvents(response)) events.push(event);
  return events;
}
