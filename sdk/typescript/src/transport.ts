/** Requests that are sent again where that is safe, as often as allowed, and when the service asks for it. */
import { ConnectionFailed, retryAfterOf } from "./problem.js";

export interface Limits {
  /** Further tries after the first. */
  retries: number;
  /** Of one try, until `fetch` returns. */
  timeoutMs: number;
  /** A `Retry-After` beyond this is left to the caller. */
  maxWaitMs: number;
}

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

const FIRST_WAIT_MS = 500;
// The server has done nothing, so that any request may be sent again.
const REFUSED = new Set([429, 503]);
const GATEWAY = new Set([502, 504]);
const IN_FLIGHT = 409; // with Retry-After: the same idempotency key is being worked on

/**
 * Send a request, again after a passing failure.
 *
 * @param init.signal ends waits too
 * @param repeatable whether it may be sent again though it may have taken effect
 * @throws ConnectionFailed when no try had an answer; the signal's reason when it was aborted
 */
export async function send(
  fetch: Fetch,
  url: string,
  init: RequestInit,
  { repeatable, limits }: { repeatable: boolean; limits: Limits },
): Promise<Response> {
  for (let attempt = 0; ; attempt++) {
    const last = attempt >= limits.retries;
    let waitMs = FIRST_WAIT_MS * 2 ** attempt * (0.5 + Math.random() / 2);
    try {
      const response = await withTimeout(fetch, url, init, limits.timeoutMs);
      const retryAfterS = retryAfterOf(response);
      if (retryAfterS !== undefined) waitMs = retryAfterS * 1000;
      const { status } = response;
      const worthIt =
        REFUSED.has(status) ||
        (repeatable && (GATEWAY.has(status) || (status === IN_FLIGHT && retryAfterS !== undefined)));
      if (last || !worthIt || waitMs > limits.maxWaitMs) return response;
      await response.body?.cancel();
    } catch (error) {
      init.signal?.throwIfAborted();
      if (last || !repeatable) throw new ConnectionFailed(`No answer from ${url.split("?")[0]}`, { cause: error });
    }
    await pause(waitMs, init.signal ?? undefined);
  }
}

/** `fetch` that returns when the body has come too, so that the time limit and further tries hold for it. */
export function whole(fetch: Fetch): Fetch {
  return async (url, init) => {
    const answer = await fetch(url, init);
    if (answer.body === null) return answer;
    const { status, statusText, headers } = answer;
    const body = await answer.blob();
    return new Response(status === 304 ? null : body, { status, statusText, headers });
  };
}

/** Wait, or throw the signal's reason. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

async function withTimeout(fetch: Fetch, url: string, init: RequestInit, timeoutMs: number): Promise<Response> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(new DOMException(`${timeoutMs} ms passed`, "TimeoutError")), timeoutMs);
  try {
    const signal = init.signal ? AbortSignal.any([init.signal, limit.signal]) : limit.signal;
    return await fetch(url, { ...init, signal });
  } finally {
    clearTimeout(timer);
  }
}
