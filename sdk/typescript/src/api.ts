/** The operations of the API as typed functions, named by the document's operation ids. */
import { ndjson } from "./files.js";
import type { OPERATIONS } from "./generated/operations.js";
import type { operations } from "./generated/schema.js";

export type OperationId = keyof typeof OPERATIONS;
/** What the document says of each operation that is called by name. */
export type Operations = Pick<operations, OperationId>;

type BodyOf<Op> = Op extends { requestBody: { content: infer C } }
  ? { body: C[keyof C] }
  : Op extends { requestBody?: { content: infer C } }
    ? { body?: C[keyof C] }
    : { body?: never };

type Success<Op> = Op extends { responses: infer R } ? R[keyof R & (200 | 201 | 202)] : never;
type Content<Op> = Success<Op> extends { content: infer C } ? C : never;

export interface Options {
  signal?: AbortSignal;
  /** Further headers, such as `{ Prefer: "respond-async" }`. */
  headers?: Record<string, string>;
  /** For POSTs that write: one for each thing that is to happen. Made by the client if omitted. */
  idempotencyKey?: string;
}

/** What an operation is called with. Fields that hold a `Blob` or `File` are sent as a form, all others as JSON. */
export type Input<Op extends { parameters: unknown }> = Pick<
  Op["parameters"],
  keyof Op["parameters"] & ("path" | "query")
> &
  BodyOf<Op> &
  Options;

/** What an operation answers: the object of its JSON, a text, or a file. */
export type Answer<Op> =
  Content<Op> extends { "application/json": infer Json }
    ? Json
    : Content<Op> extends { "text/plain": unknown }
      ? string
      : Blob;

type Call<Op extends { parameters: unknown }> =
  Record<string, never> extends Input<Op>
    ? (input?: Input<Op>) => Promise<Answer<Op>>
    : {} extends Input<Op>
      ? (input?: Input<Op>) => Promise<Answer<Op>>
      : (input: Input<Op>) => Promise<Answer<Op>>;

/** Every operation of the API: `client.recognizeFace({ body: { image: file, camera_id: "cam_lobby_01" } })`. */
export type Api = { readonly [Id in OperationId]: Call<operations[Id]> };

/** An operation's call, before it is sent. */
export interface AnyInput extends Options {
  path?: Record<string, unknown>;
  query?: Record<string, unknown>;
  body?: unknown;
}

/** The path and the query, percent-encoded. What is null or undefined is left out; lists are repeated. */
export function addressOf(path: string, input: AnyInput): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => partOf(name, input.path?.[name]));
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(input.query ?? {})) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined) query.append(name, String(one));
    }
  }
  return query.size > 0 ? `${filled}?${query}` : filled;
}

function partOf(name: string, value: unknown): string {
  const text = String(value ?? "");
  // URLs resolve dots, encoded too, so that the request would go to another path.
  if (/^\.{0,2}$/.test(text)) throw new TypeError(`"${text}" is no ${name}`);
  return encodeURIComponent(text);
}

/** A body as it is sent, with its media type; a form's is made by `fetch`, with its boundary. */
export function encoded(kind: "none" | "fields" | "file", body: unknown): { body?: BodyInit; type?: string } {
  if (body === undefined || kind === "none") return {};
  if (kind === "file") {
    const file = body instanceof Blob ? body : ndjson(body as string);
    return { body: file, type: file.type || "application/zip" };
  }
  const fields = Object.entries(body as Record<string, unknown>);
  if (!fields.some(([, value]) => [value].flat().some((one) => one instanceof Blob))) {
    return { body: JSON.stringify(body), type: "application/json" };
  }
  const form = new FormData();
  for (const [name, value] of fields) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one instanceof Blob) form.append(name, one);
      else if (one !== null && one !== undefined)
        form.append(name, typeof one === "object" ? JSON.stringify(one) : String(one));
    }
  }
  return { body: form };
}
