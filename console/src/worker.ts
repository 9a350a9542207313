/**
 * Keeps the page itself on a kiosk's device, so that it opens while the service does not answer: a tablet that is begun
 * again goes on checking in. What the service answers always comes first, and nothing but the page's files is kept.
 */
declare const RELEASE: string; // build.mjs knows what was built
declare const FILES: readonly string[];

interface Lasting extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface Asked extends Event {
  request: Request;
  respondWith(answer: Promise<Response>): void;
}
const worker = self as unknown as { skipWaiting(): Promise<void>; clients: { claim(): Promise<void> } };

const NAMES = "cv-console-";
const NAME = NAMES + RELEASE;
const ANSWER_MS = 8000;

addEventListener("install", (event) => (event as Lasting).waitUntil(keepFiles()));
addEventListener("activate", (event) => (event as Lasting).waitUntil(takeOver()));
addEventListener("fetch", (event) => {
  const { request, respondWith } = event as Asked;
  const { origin, pathname } = new URL(request.url);
  if (request.method === "GET" && origin === location.origin && FILES.includes(pathname)) respondWith.call(event, answered(request, pathname));
});

/** All files of one release, or none. */
async function keepFiles(): Promise<void> {
  const cache = await caches.open(NAME);
  await cache.addAll(FILES.map((path) => new Request(path, { cache: "no-cache" })));
  await worker.skipWaiting();
}

async function takeOver(): Promise<void> {
  const old = (await caches.keys()).filter((name) => name.startsWith(NAMES) && name !== NAME);
  await Promise.all(old.map((name) => caches.delete(name)));
  await worker.clients.claim();
}

/** What the service answers; what is kept where it does not, or a proxy answers in its place. */
async function answered(request: Request, path: string): Promise<Response> {
  const kept = await caches.match(path, { cacheName: NAME });
  if (!kept) return fetch(request);
  try {
    const answer = await fetch(request, { signal: AbortSignal.timeout(ANSWER_MS) });
    return answer.status < 500 ? answer : kept;
  } catch {
    return kept;
  }
}

export {};
