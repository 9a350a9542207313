/** Client of CV Service. `createClient` is where to begin; sdk/README.md has examples. */
export { createClient } from "./client.js";
export type { Client, Settings } from "./client.js";
export type { Answer, Api, Input, Operations } from "./api.js";
export type { CvEvent, EventPayloads, EventsOptions } from "./events.js";
export { ConnectionFailed, Problem } from "./problem.js";
export { ndjson, toBase64 } from "./files.js";
export { InvalidSignature, verifyWebhook } from "./webhook.js";
export type { components } from "./generated/schema.js";

import type { components } from "./generated/schema.js";
/** The types of the API's document by their names, such as `Schemas["FaceRecognitionResponse"]`. */
export type Schemas = components["schemas"];
