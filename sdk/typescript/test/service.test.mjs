// The packed client against a running service: CV_URL, CV_API_KEY, and CV_PICTURES, a folder of pictures.
import assert from "node:assert/strict";
import { openAsBlob } from "node:fs";
import { createServer } from "node:http";
import { after, test } from "node:test";
import { createClient, InvalidSignature, ndjson, Problem, toBase64, verifyWebhook } from "cv-service-client";

const { CV_URL: baseUrl, CV_API_KEY: apiKey, CV_PICTURES: pictures } = process.env;
const cv = createClient({ baseUrl, apiKey });
const face = await openAsBlob(`${pictures}/face.jpg`, { type: "image/jpeg" });
const room = await openAsBlob(`${pictures}/room.jpg`, { type: "image/jpeg" });

const enroll = (employee_id, name) =>
  cv.enrollFace({ body: { employee_id, images: [face], metadata: { name }, allow_duplicate: true } });
const problemOf = (promise) =>
  promise.then(
    () => assert.fail("no problem"),
    (error) => error,
  );

test("a file goes as a form and base64 as JSON, and both are the same picture", async () => {
  await enroll("EMP001", "Nguyễn Văn An");
  const asForm = await cv.verifyFace({ body: { image: face, employee_id: "EMP001" } });
  const asJson = await cv.verifyFace({ body: { image: await toBase64(face), employee_id: "EMP001" } });
  assert.equal(asForm.verified, true);
  assert.equal(asForm.confidence, asJson.confidence);
});

test("what the service refuses is a problem with its code and the request's name", async () => {
  const problem = await problemOf(cv.getPerson({ path: { employee_id: "NOBODY" } }));
  assert.ok(problem instanceof Problem);
  assert.equal(problem.status, 404);
  assert.equal(problem.code, problem.document.code);
  assert.match(problem.requestId, /^\w+/);
  const shape = await problemOf(cv.verifyFace({ body: { employee_id: "EMP001" } }));
  assert.deepEqual(
    shape.errors.map(({ field }) => field),
    ["body.image"],
  );
  const stranger = createClient({ baseUrl, apiKey: "wrong" });
  assert.equal((await problemOf(stranger.listModels())).status, 401);
});

test("a list is read page after page", async () => {
  for (const id of ["EMP002", "EMP003"]) await enroll(id, id);
  const found = [];
  for await (const person of cv.each("listPeople", { query: { limit: 1 } })) found.push(person.employee_id);
  assert.deepEqual(
    found.filter((id) => /^EMP00[123]$/.test(id)),
    ["EMP001", "EMP002", "EMP003"],
  );
});

test("a write that is sent again under its key happens once", async () => {
  const body = { description: "black umbrella", room_number: "201" };
  const idempotencyKey = crypto.randomUUID();
  const [first, again, other] = [
    await cv.createClaim({ body, idempotencyKey }),
    await cv.createClaim({ body, idempotencyKey }),
    await cv.createClaim({ body }),
  ];
  assert.deepEqual(again, first);
  assert.notEqual(other.claim_id, first.claim_id);
});

test("answers that are no JSON are text or a file", async () => {
  assert.match(await cv.getMetrics(), /^# HELP /m);
  const file = await cv.exportInvoices({ query: { format: "csv", start: "2025-01-01", end: "2025-12-31" } });
  assert.match(file.type, /^text\/csv/);
  assert.ok(file.size > 0);
});

test("a bulk request is lines, and its job is waited for", async () => {
  const image = await toBase64(room);
  const metadata = { category: "lost_found", item_type: "bag" };
  const { job_id } = await cv.bulkIndexImages({
    body: ndjson([
      { image, metadata },
      { image: "", metadata },
    ]),
  });
  const job = await cv.finished(job_id);
  assert.equal(job.state, "succeeded");
  assert.equal(job.done, 2);
  const items = [];
  for await (const item of cv.each("listJobItems", { path: { job_id } })) items.push(item);
  assert.equal(items.length, 2);
});

test("events go on after a cut without a gap, from the moment of the first connection", async () => {
  let cuts = 0;
  // The first connection breaks before any event came, the second one after the first.
  const breaking = async (url, init) => {
    if (!url.includes("/events")) return fetch(url, init);
    const cut = new AbortController();
    const answer = await fetch(url, { ...init, signal: AbortSignal.any([init.signal, cut.signal]) });
    if (cuts++ === 0) {
      await enroll("EMP004", "during the first cut");
      queueMicrotask(() => cut.abort(new TypeError("cut")));
    }
    return answer;
  };
  const listener = createClient({ baseUrl, apiKey, fetch: breaking });
  const heard = [];
  for await (const event of listener.events({ types: ["face.enrolled"] })) {
    heard.push(event.data.employee_id);
    if (heard.length === 1) await enroll("EMP005", "after it");
    if (heard.length === 2) break;
  }
  assert.deepEqual(heard, ["EMP004", "EMP005"]);
  assert.equal(cuts, 2);
});

test("events of a stranger end with the problem", async () => {
  const stranger = createClient({ baseUrl, apiKey: "wrong" });
  assert.equal((await problemOf(stranger.events().next())).status, 401);
});

test("events end when their signal says so", async () => {
  const stop = new AbortController();
  const next = cv.events({ signal: stop.signal }).next();
  stop.abort(new Error("enough"));
  assert.equal((await problemOf(next)).message, "enough");
});

test("a webhook that the service signed is verified, and nothing else is", async () => {
  const messages = [];
  const receiver = createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      messages.push({ headers: request.headers, body: Buffer.concat(parts) });
      response.end();
    });
  });
  await new Promise((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  after(() => receiver.close());
  const url = `http://127.0.0.1:${receiver.address().port}/`;
  const { id, secret } = await cv.addWebhook({ body: { url, types: ["attendance.events"] } });
  await cv.tryWebhook({ path: { webhook_id: id } });
  await cv.removeWebhook({ path: { webhook_id: id } });
  const [{ headers, body }] = messages;
  const event = await verifyWebhook(secret, headers, body);
  assert.equal(event.type, "webhook.test");
  assert.equal(event.id, headers["webhook-id"]);
  const other = "whsec_" + Buffer.alloc(32, 7).toString("base64");
  assert.equal((await verifyWebhook([other, secret], new Headers(headers), body.toString())).id, event.id);
  const refused = [
    verifyWebhook(other, headers, body),
    verifyWebhook(secret, headers, body.toString().replace("webhook.test", "attendance.events")),
    verifyWebhook(secret, { ...headers, "webhook-id": "another" }, body),
    verifyWebhook(secret, headers, body, { now: Date.now() + 301_000 }),
    verifyWebhook(secret, { ...headers, "webhook-signature": undefined }, body),
    verifyWebhook(secret, { ...headers, "webhook-signature": "v1,?" }, body),
  ];
  for (const error of await Promise.all(refused.map(problemOf))) assert.ok(error instanceof InvalidSignature);
});
