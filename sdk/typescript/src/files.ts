/** Files in requests. A `Blob` or `File` in a body is sent as a form; these are for JSON and for bulk requests. */

const CHUNK = 0x8000; // more arguments than this overflow the stack of some engines

/** The base64 of a file, as `image` takes it in JSON. */
export async function toBase64(file: Blob | ArrayBuffer | Uint8Array): Promise<string> {
  const bytes = file instanceof Blob ? new Uint8Array(await file.arrayBuffer()) : new Uint8Array(file);
  let text = "";
  for (let at = 0; at < bytes.length; at += CHUNK) text += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  return btoa(text);
}

/** A body for bulk requests, of objects or of text that is NDJSON already. */
export function ndjson(items: string | readonly object[]): Blob {
  const text = typeof items === "string" ? items : items.map((item) => JSON.stringify(item) + "\n").join("");
  return new Blob([text], { type: "application/x-ndjson" });
}
