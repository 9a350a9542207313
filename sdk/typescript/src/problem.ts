/** What goes wrong: an answer that is a problem document (RFC 9457), or no answer at all. */
import type { components } from "./generated/schema.js";

type Document = components["schemas"]["Problem"];

/** The service refused. `code` is stable; `message` says what is wrong and what to do. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly status: number;
  readonly code: string;
  /** The request's name in the service's log. */
  readonly requestId: string;
  /** Seconds after which it is worth another try, where the service said so. */
  readonly retryAfterS: number | undefined;
  /** With `validation_error`: each place that has the wrong shape. */
  readonly errors: NonNullable<Document["errors"]>;
  /** All members of the document. */
  readonly document: Partial<Document> & Record<string, unknown>;

  private constructor(response: Response, document: Partial<Document>) {
    super(document.detail ?? `HTTP ${response.status} ${response.statusText}`);
    this.status = response.status;
    this.code = document.code ?? "http_error";
    this.requestId = document.request_id ?? response.headers.get("X-Request-ID") ?? "";
    this.retryAfterS = retryAfterOf(response);
    this.errors = document.errors ?? [];
    this.document = document;
  }

  /** The problem that an answer tells; one of a proxy has no document, and gets the code `http_error`. */
  static async of(response: Response): Promise<Problem> {
    const text = await response.text().catch(() => "");
    try {
      const document: unknown = JSON.parse(text);
      return new Problem(response, typeof document === "object" && document !== null ? document : {});
    } catch {
      return new Problem(response, {});
    }
  }
}

/** No answer: the network, or the time limit. The request may have taken effect. `cause` is what `fetch` said. */
export class ConnectionFailed extends Error {
  override readonly name = "ConnectionFailed";
}

/** Seconds of `Retry-After`, which may be a date; undefined where there is none or it can't be read. */
export function retryAfterOf(response: Response): number | undefined {
  const value = response.headers.get("Retry-After");
  if (value === null) return undefined;
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}
