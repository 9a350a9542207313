// src/generated/, from the documents of the API and of its events: the types (openapi-typescript), and how each
// operation is sent. Neither is committed: they are what docs/openapi.json and docs/asyncapi.json say.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";
import ts from "typescript";

const TARGET = new URL("src/generated/", import.meta.url);
// These answer with a stream that does not end; `events` of the client reads the first.
const STREAMS = new Set(["text/event-stream", "multipart/x-mixed-replace"]);

const read = async (name) => JSON.parse(await readFile(new URL(`../../docs/${name}`, import.meta.url), "utf8"));

/** The document without what would only be repeated in the types: examples, and the problems of each operation. */
function trimmed(document) {
  for (const item of Object.values(document.paths)) {
    for (const operation of Object.values(item)) {
      const answers = Object.entries(operation.responses).filter(([status]) => status < "300");
      operation.responses = Object.fromEntries(answers);
    }
  }
  for (const schema of Object.values(document.components.schemas)) {
    delete schema.example;
    delete schema.examples;
  }
  return document;
}

/** One line of the table `OPERATIONS`: method, path, how the body is written, how the answer is read, and retries. */
function route(path, method, operation) {
  const types = Object.keys(operation.requestBody?.content ?? {});
  const answers = Object.values(operation.responses).flatMap((answer) => Object.keys(answer.content ?? {}));
  if (answers.some((type) => STREAMS.has(type))) return undefined;
  const parameters = operation.parameters ?? [];
  const idempotent = parameters.some(({ name }) => name === "Idempotency-Key");
  return {
    method: method.toUpperCase(),
    path,
    body: types.length === 0 ? "none" : types.includes("application/json") ? "fields" : "file",
    answer: answers.includes("application/json") ? "json" : answers.includes("text/plain") ? "text" : "blob",
    // A POST without this header writes nothing; the others may be repeated only where the server did nothing.
    keyed: idempotent,
    repeatable: method === "get" || method === "post",
  };
}

const document = trimmed(await read("openapi.json"));
const { messages } = (await read("asyncapi.json")).components;
const payloads = Object.fromEntries(Object.entries(messages).map(([name, { payload }]) => [name, payload]));
document.components.schemas.EventPayloads = {
  type: "object",
  required: Object.keys(payloads),
  properties: payloads,
};
const routes = {};
for (const [path, item] of Object.entries(document.paths)) {
  for (const [method, operation] of Object.entries(item)) {
    const found = path.endsWith("/events") ? undefined : route(path, method, operation);
    if (found) routes[operation.operationId] = found;
  }
}
const BLOB = ts.factory.createTypeReferenceNode("Blob");
const types = await openapiTS(document, {
  alphabetize: true,
  defaultNonNullable: false, // what has a default may be left out
  transform: (schema) => (schema.format === "binary" ? BLOB : undefined),
});
await mkdir(TARGET, { recursive: true });
await writeFile(new URL("schema.ts", TARGET), astToString(types));
await writeFile(
  new URL("operations.ts", TARGET),
  `export const OPERATIONS = ${JSON.stringify(routes, null, 1)} as const;\n`,
);
