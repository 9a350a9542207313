/** Webhooks signed as Standard Webhooks says, verified by WebCrypto. */
import type { CvEvent, EventPayloads } from "./events.js";

/** The message does not come from the service, or is an old one sent again. Answer 400 and do nothing. */
export class InvalidSignature extends Error {
  override readonly name = "InvalidSignature";
}

const TOLERANCE_S = 300;
const PREFIX = "whsec_";

/**
 * The event in a webhook's body. Drop repetitions by its `id`.
 *
 * @param secret of the subscription, as `addWebhook` gave it; several while one takes the other's place
 * @param headers of the request, as `Headers` or as Node's object of them
 * @param body as it came, before any JSON parser
 * @throws InvalidSignature
 */
export async function verifyWebhook(
  secret: string | readonly string[],
  headers: Headers | Record<string, string | string[] | undefined>,
  body: string | Uint8Array,
  { now = Date.now(), toleranceS = TOLERANCE_S }: { now?: number; toleranceS?: number } = {},
): Promise<CvEvent | { id: string; type: "webhook.test"; data: Record<string, unknown> }> {
  const id = header(headers, "webhook-id");
  const timestamp = header(headers, "webhook-timestamp");
  if (!/^\d{1,12}$/.test(timestamp)) throw new InvalidSignature("webhook-timestamp is no number of seconds");
  if (Math.abs(now / 1000 - Number(timestamp)) > toleranceS)
    throw new InvalidSignature("The message is too old or of the future");
  const encoder = new TextEncoder();
  const raw = typeof body === "string" ? encoder.encode(body) : body;
  const signed = new Uint8Array([...encoder.encode(`${id}.${timestamp}.`), ...raw]);
  const signatures = header(headers, "webhook-signature")
    .split(" ")
    .filter((one) => one.startsWith("v1,"));
  for (const one of typeof secret === "string" ? [secret] : secret) {
    const key = await crypto.subtle.importKey(
      "raw",
      bytesOf(one.replace(PREFIX, "")),
      { name: "HMAC", hash: "SHA-256" },
      false,
      ["verify"],
    );
    for (const signature of signatures) {
      if (await crypto.subtle.verify("HMAC", key, bytesOf(signature.slice(3)), signed)) {
        const data = JSON.parse(new TextDecoder().decode(raw)) as EventPayloads[keyof EventPayloads];
        return { id, type: data.type, data } as CvEvent;
      }
    }
  }
  throw new InvalidSignature("No signature of the message fits");
}

function header(headers: Headers | Record<string, string | string[] | undefined>, name: string): string {
  const value = headers instanceof Headers ? headers.get(name) : headers[name];
  if (typeof value !== "string") throw new InvalidSignature(`The header ${name} is missing`);
  return value;
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  } catch {
    throw new InvalidSignature("Not base64");
  }
}
