/** The one client of the page, and how views wait for it. */
import { ConnectionFailed, createClient, Problem, type EventPayloads } from "cv-service-client";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";

import { session } from "./state.ts";

export const cv = createClient({
  fetch: async (url, init) => {
    const answer = await fetch(url, init);
    // The session has ended, or its key: the page asks to sign in again.
    if (answer.status === 401 && !url.includes("/session")) session.value = null;
    return answer;
  },
});

export const ANSWER_MS = 15_000; // after which the service counts as out of reach

/** Whether the service, or what it stands on, could not answer. */
export function isOutOfReach(error: unknown): boolean {
  if (error instanceof Problem) return error.status >= 502;
  return error instanceof ConnectionFailed || (error instanceof DOMException && error.name === "TimeoutError");
}

export interface Loaded<Data> {
  data: Data | undefined;
  error: unknown;
  isLoading: boolean;
  again: () => void;
}

/** What `load` gives, asked for again whenever one of `causes` changes; the last answer stays until the next is there. */
export function useLoad<Data>(load: (signal: AbortSignal) => Promise<Data>, causes: readonly unknown[]): Loaded<Data> {
  const [turn, setTurn] = useState(0);
  const [state, setState] = useState<{ data?: Data; error?: unknown; isLoading: boolean }>({ isLoading: true });
  useEffect(() => {
    const stop = new AbortController();
    setState((last) => ({ ...last, isLoading: true }));
    load(stop.signal).then(
      (data) => stop.signal.aborted || setState({ data, isLoading: false }),
      (error: unknown) => stop.signal.aborted || setState({ error, isLoading: false }),
    );
    return () => stop.abort();
  }, [...causes, turn]);
  return { data: state.data, error: state.error, isLoading: state.isLoading, again: useCallback(() => setTurn((n) => n + 1), []) };
}

export interface Task {
  isBusy: boolean;
  error: unknown;
  /** Do it, unless it is being done; whether it came to a good end. */
  run: (work: () => Promise<unknown>) => Promise<boolean>;
  forget: () => void;
}

/** Something that a person starts. */
export function useTask(): Task {
  const [state, setState] = useState<{ isBusy: boolean; error?: unknown }>({ isBusy: false });
  const isBusy = useRef(false);
  const run = useCallback(async (work: () => Promise<unknown>) => {
    if (isBusy.current) return false;
    isBusy.current = true;
    setState({ isBusy: true });
    try {
      await work();
      setState({ isBusy: false });
      return true;
    } catch (error) {
      setState({ isBusy: false, error });
      return false;
    } finally {
      isBusy.current = false;
    }
  }, []);
  return { isBusy: state.isBusy, error: state.error, run, forget: useCallback(() => setState({ isBusy: false }), []) };
}

/** Call `told` when an event of these types comes; with no types, never. */
export function useEvents(types: readonly (keyof EventPayloads)[], told: () => void): void {
  useEffect(() => {
    if (types.length === 0) return;
    const stop = new AbortController();
    void (async () => {
      try {
        for await (const _ of cv.events({ types, signal: stop.signal })) told();
      } catch (error) {
        if (error instanceof Problem && error.status === 401) session.value = null;
      }
    })();
    return () => stop.abort();
  }, [types.join()]);
}

/** Offer bytes as a file. */
export function download(file: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
