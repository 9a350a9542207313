/** The live stream of events (Server-Sent Events), read by `fetch`, so that the API key goes as a header. */
import { createParser, type EventSourceMessage } from "eventsource-parser";

import type { components } from "./generated/schema.js";
import { ConnectionFailed, Problem } from "./problem.js";
import { pause } from "./transport.js";

/** What each type of event says: `EventPayloads["attendance.events"]`. */
export type EventPayloads = components["schemas"]["EventPayloads"];

/** An event; `id` is where to go on. */
export type CvEvent<Type extends keyof EventPayloads = keyof EventPayloads> = {
  [T in Type]: { id: string; type: T; data: EventPayloads[T] };
}[Type];

export interface EventsOptions<Type extends keyof EventPayloads> {
  /** Only these; all that the key may read, if omitted. */
  types?: readonly Type[];
  /** Go on after this event; from now, if omitted. */
  lastEventId?: string;
  /** Ends the stream, with the signal's reason as an error. `break` ends it without one. */
  signal?: AbortSignal;
}

const SILENCE_MS = 60_000; // the service says something each 15 s
const FIRST_WAIT_MS = 1000;
const MAX_WAIT_MS = 30_000;

type Open = (headers: Record<string, string>, signal: AbortSignal) => Promise<Response>;

/**
 * Events as they happen, for ever: after a cut it goes on where it was, so that none is missed.
 *
 * @throws Problem when the service refuses the key or the request
 */
export async function* follow<Type extends keyof EventPayloads>(
  open: Open,
  { lastEventId, signal }: Pick<EventsOptions<Type>, "lastEventId" | "signal">,
): AsyncGenerator<CvEvent<Type>, never> {
  let position = lastEventId;
  for (let failures = 0; ; failures++) {
    const connection = new AbortController();
    const both = signal ? AbortSignal.any([signal, connection.signal]) : connection.signal;
    try {
      const response = await open(position === undefined ? {} : { "Last-Event-ID": position }, both);
      if (!response.ok || response.body === null) throw await Problem.of(response);
      position ??= response.headers.get("Last-Event-ID") ?? undefined; // where it begins, before the first event
      for await (const message of messages(response.body, connection)) {
        if (message.id === undefined || message.event === undefined) continue;
        position = message.id;
        failures = 0;
        yield { id: position, type: message.event, data: JSON.parse(message.data) } as CvEvent<Type>;
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof Problem && error.status < 500 && error.status !== 429) throw error;
      if (!(error instanceof Problem || error instanceof ConnectionFailed || connection.signal.aborted || isCut(error)))
        throw error;
    } finally {
      connection.abort();
    }
    await pause(Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(failures, 10)), signal);
  }
}

/** Whether this is how `fetch` says that a connection broke. */
function isCut(error: unknown): boolean {
  return error instanceof TypeError;
}

async function* messages(
  body: ReadableStream<Uint8Array>,
  connection: AbortController,
): AsyncGenerator<EventSourceMessage> {
  const ready: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (message) => ready.push(message) });
  const reader = body.getReader();
  const decoder = new TextDecoder();
  for (;;) {
    const timer = setTimeout(() => connection.abort(), SILENCE_MS);
    const { done, value } = await reader.read().finally(() => clearTimeout(timer));
    if (done) return;
    parser.feed(decoder.decode(value, { stream: true }));
    yield* ready.splice(0);
  }
}
