/** The client: every operation by its name, and what takes several requests. */
import {
  addressOf,
  encoded,
  type Answer,
  type AnyInput,
  type Api,
  type Input,
  type OperationId,
  type Operations,
} from "./api.js";
import { follow, type CvEvent, type EventPayloads, type EventsOptions } from "./events.js";
import { OPERATIONS } from "./generated/operations.js";
import type { components } from "./generated/schema.js";
import { Problem } from "./problem.js";
import { pause, send, whole, type Fetch, type Limits } from "./transport.js";

export interface Settings {
  /** Where the service is, such as `https://cv.hotel.example`. In a browser, the page's own origin if omitted. */
  baseUrl?: string;
  /** An API key. A page that has signed in needs none: its cookie is sent. */
  apiKey?: string;
  /** Sent with every request. */
  headers?: Record<string, string>;
  /** Further tries after a passing failure: 2. */
  retries?: number;
  /** Milliseconds of one try: 60 000. */
  timeoutMs?: number;
  /** The longest `Retry-After` that is waited for, in milliseconds: 60 000. */
  maxWaitMs?: number;
  /** In the place of the platform's `fetch`. */
  fetch?: Fetch;
}

type Job = components["schemas"]["JobInfo"];
/** The operations that list something, page by page. */
type ListId = {
  [Id in OperationId]: Answer<Operations[Id]> extends { items: unknown[]; next_cursor?: string | null } ? Id : never;
}[OperationId];
type ItemOf<Id extends ListId> = Answer<Operations[Id]> extends { items: (infer Item)[] } ? Item : never;

export interface Client extends Api {
  /** Events as they happen; after a cut it goes on where it was. */
  events<Type extends keyof EventPayloads = keyof EventPayloads>(
    options?: EventsOptions<Type>,
  ): AsyncGenerator<CvEvent<Type>, never>;
  /** Each item of a list, page after page: `for await (const person of client.each("listPeople"))`. */
  each<Id extends ListId>(list: Id, input?: Input<Operations[Id]>): AsyncGenerator<ItemOf<Id>, void>;
  /** A job's last state, after it has succeeded, failed or been cancelled. `signal` ends the wait. */
  finished(jobId: string, options?: { signal?: AbortSignal }): Promise<Job>;
}

const EVENTS = "/api/v1/cv/events";
const ENDED = new Set<Job["state"]>(["succeeded", "failed", "cancelled"]);
const POLL_MS = 1000;

/** A client of one service. It holds no connection, and needs no closing. */
export function createClient(settings: Settings = {}): Client {
  const origin = (settings.baseUrl ?? "").replace(/\/+$/, "");
  const transport: Fetch = settings.fetch ?? ((url, init) => globalThis.fetch(url, init));
  const limits: Limits = {
    retries: settings.retries ?? 2,
    timeoutMs: settings.timeoutMs ?? 60_000,
    maxWaitMs: settings.maxWaitMs ?? 60_000,
  };
  const common = { ...settings.headers, ...(settings.apiKey ? { "X-API-Key": settings.apiKey } : {}) };

  async function call(id: OperationId, input: AnyInput = {}): Promise<unknown> {
    const { method, path, keyed, repeatable, body: kind, answer } = OPERATIONS[id];
    const { body, type } = encoded(kind, input.body);
    const headers: Record<string, string> = { ...common, ...input.headers };
    if (type) headers["Content-Type"] = type;
    if (keyed) headers["Idempotency-Key"] = input.idempotencyKey ?? newKey();
    // A redirect would hand the key on to another host.
    const init: RequestInit = {
      method,
      headers,
      redirect: "error",
      ...(body ? { body } : {}),
      ...(input.signal ? { signal: input.signal } : {}),
    };
    const response = await send(whole(transport), origin + addressOf(path, input), init, { repeatable, limits });
    if (!response.ok) throw await Problem.of(response);
    return response[answer]();
  }

  async function* each(list: ListId, input: AnyInput = {}): AsyncGenerator<unknown, void> {
    let cursor: string | null | undefined;
    do {
      const query = { ...input.query, ...(cursor ? { cursor } : {}) };
      const page = (await call(list, { ...input, query })) as { items: unknown[]; next_cursor?: string | null };
      yield* page.items;
      cursor = page.next_cursor;
    } while (cursor);
  }

  async function finished(jobId: string, { signal }: { signal?: AbortSignal } = {}): Promise<Job> {
    for (;;) {
      const job = (await call("getJob", { path: { job_id: jobId }, ...(signal ? { signal } : {}) })) as Job;
      if (ENDED.has(job.state)) return job;
      await pause(POLL_MS, signal);
    }
  }

  function events(options: EventsOptions<keyof EventPayloads> = {}): AsyncGenerator<CvEvent, never> {
    const url = origin + addressOf(EVENTS, { query: { type: options.types?.join(",") } });
    const open = (headers: Record<string, string>, signal: AbortSignal) =>
      send(
        transport,
        url,
        { headers: { ...common, ...headers }, redirect: "error", signal },
        { repeatable: false, limits: { ...limits, retries: 0 } },
      );
    return follow(open, options);
  }

  const operations = Object.fromEntries(
    (Object.keys(OPERATIONS) as OperationId[]).map((id) => [id, (input?: AnyInput) => call(id, input)]),
  );
  return { ...operations, events, each, finished } as unknown as Client;
}

/** 128 random bits. `crypto.randomUUID` is missing on pages that come without TLS, as inside a hotel. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
