// What is sent again and what is not, without a service: each client has a `fetch` that follows a script.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectionFailed, createClient, Problem } from "cv-service-client";

const CUT = "cut";
const answer = (status, headers = {}) => new Response(JSON.stringify({ code: `code_${status}` }), { status, headers });

/** A client whose requests are answered in this order, and the requests that it made. */
function scripted(answers, settings = {}) {
  const requests = [];
  const fetch = async (url, init) => {
    requests.push({ url, ...init });
    const next = answers[requests.length - 1];
    if (next === CUT) throw new TypeError("cut");
    return next.clone();
  };
  return { cv: createClient({ baseUrl: "http://cv.example/", fetch, ...settings }), requests };
}
const NOW = { "Retry-After": "0" };
const PERSON = { path: { employee_id: "EMP001" } };
const CLAIM = { body: { description: "black umbrella" } };

test("a passing failure is tried again, and the answer is the last one's", async () => {
  for (const first of [CUT, answer(503, NOW), answer(429, NOW), answer(502, NOW)]) {
    const { cv, requests } = scripted([first, answer(200)]);
    assert.deepEqual(await cv.getPerson(PERSON), { code: "code_200" });
    assert.equal(requests.length, 2);
  }
});

test("a write is sent again with the key that it had", async () => {
  const { cv, requests } = scripted([CUT, answer(409, NOW), answer(201)]);
  await cv.createClaim(CLAIM);
  const keys = new Set(requests.map(({ headers }) => headers["Idempotency-Key"]));
  assert.equal(requests.length, 3);
  assert.match([...keys].join(), /^[0-9a-f]{32}$/);
});

test("what would not pass is not tried again", async () => {
  for (const status of [400, 401, 404, 409, 422, 500]) {
    const { cv, requests } = scripted([answer(status), answer(201)]);
    await assert.rejects(cv.createClaim(CLAIM), (error) => error instanceof Problem && error.code === `code_${status}`);
    assert.equal(requests.length, 1);
  }
});

test("a deletion that may have happened is not sent again, one that was refused is", async () => {
  const cut = scripted([CUT, answer(200)]);
  await assert.rejects(cut.cv.deletePerson(PERSON), ConnectionFailed);
  assert.equal(cut.requests.length, 1);
  const refused = scripted([answer(503, NOW), answer(200)]);
  await refused.cv.deletePerson(PERSON);
  assert.equal(refused.requests.length, 2);
});

test("tries are counted, and the last problem is told", async () => {
  const { cv, requests } = scripted(Array(9).fill(answer(503, NOW)), { retries: 3 });
  await assert.rejects(cv.getPerson(PERSON), { status: 503, retryAfterS: 0 });
  assert.equal(requests.length, 4);
});

test("Retry-After is waited for, up to the limit", async () => {
  const { cv } = scripted([answer(503, { "Retry-After": "1" }), answer(200)]);
  const began = performance.now();
  await cv.getPerson(PERSON);
  assert.ok(performance.now() - began >= 990);
  const patient = scripted([answer(503, { "Retry-After": "3600" }), answer(200)]);
  await assert.rejects(patient.cv.getPerson(PERSON), { retryAfterS: 3600 });
  assert.equal(patient.requests.length, 1);
});

test("a signal ends the wait between tries", async () => {
  const stop = new AbortController();
  const { cv } = scripted([answer(503, { "Retry-After": "50" })]);
  const call = cv.getPerson({ ...PERSON, signal: stop.signal });
  setTimeout(() => stop.abort(new Error("enough")), 10);
  await assert.rejects(call, /enough/);
});

test("no answer within the time is a failed connection", async () => {
  const never = (_, { signal }) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const cv = createClient({ baseUrl: "http://cv.example", fetch: never, timeoutMs: 5, retries: 0 });
  await assert.rejects(
    cv.getPerson(PERSON),
    (error) => error instanceof ConnectionFailed && error.cause.name === "TimeoutError",
  );
});

test("an answer that breaks off is tried again", async () => {
  const broken = new ReadableStream({ pull: (controller) => controller.error(new TypeError("terminated")) });
  const answers = [new Response(broken), answer(200)];
  const cv = createClient({ baseUrl: "http://cv.example", fetch: async () => answers.shift() });
  assert.deepEqual(await cv.getPerson(PERSON), { code: "code_200" });
});

test("addresses and bodies are written as the document says", async () => {
  const { cv, requests } = scripted(Array(3).fill(answer(200)), { apiKey: "key" });
  await cv.listImages({ query: { tags: ["a b", "ü"], status: undefined, cursor: null, limit: 5 } });
  await cv.enrollFace({
    body: { employee_id: "E1", images: [new Blob(["1"]), new Blob(["2"])], metadata: { name: "An" } },
  });
  await cv.getRoomStatus({ path: { room_number: "2/1" } });
  assert.equal(requests[0].url, "http://cv.example/api/v1/cv/image?tags=a+b&tags=%C3%BC&limit=5");
  assert.equal(requests[0].headers["X-API-Key"], "key");
  assert.equal(requests[1].body.getAll("images").length, 2);
  assert.equal(requests[1].body.get("metadata"), '{"name":"An"}');
  assert.equal(requests[1].headers["Content-Type"], undefined);
  assert.equal(requests[2].url, "http://cv.example/api/v1/cv/room/status/2%2F1");
});

test("an id can't lead to another path", async () => {
  const { cv, requests } = scripted([answer(200)]);
  for (const employee_id of ["", ".", "..", undefined])
    await assert.rejects(cv.deletePerson({ path: { employee_id } }), TypeError);
  assert.equal(requests.length, 0);
  await cv.deletePerson({ path: { employee_id: "../image?x=1#y" } });
  assert.equal(requests[0].url, "http://cv.example/api/v1/cv/face/..%2Fimage%3Fx%3D1%23y");
});
