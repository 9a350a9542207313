/** What several views are made of. */
import { ConnectionFailed, Problem } from "cv-service-client";
import type { ComponentChildren } from "preact";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";

import type { Loaded, Task } from "./api.ts";
import { shownAt } from "./state.ts";
import { refusal, t } from "./text.ts";

/** The identity provider did not let somebody in. */
export class Refused extends Error {}

/** The service answered that it could not; the message says why. */
export class Unread extends Error {}

/** What went wrong, what to do, and the name of the request in the log. */
export function Failure({ error, again }: { error: unknown; again?: () => void }) {
  if (!error) return null;
  const said = whatWentWrong(error);
  return (
    <div class="notice bad" role="alert">
      <p>{said}</p>
      {error instanceof Problem && error.errors.map(({ field, message }) => <p key={field}>{`${field}: ${message}`}</p>)}
      {error instanceof Problem && <p class="small">{t("request_id", { id: error.requestId })}</p>}
      {again && <button type="button" onClick={again}>{t("try_again")}</button>}
    </div>
  );
}

function whatWentWrong(error: unknown): string {
  if (error instanceof Problem) return refusal(error);
  if (error instanceof Unread) return error.message;
  if (error instanceof Refused) return t("provider_refused");
  return t(error instanceof ConnectionFailed ? "no_answer" : "page_failed");
}

/** What a list or a record shows before it is there; nothing for the first moment, since most answers come within it. */
export function Waiting() {
  const [isLong, setLong] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLong(true), 250);
    return () => clearTimeout(timer);
  }, []);
  return <p class="waiting" role="status">{isLong ? t("loading") : ""}</p>;
}

/** The data once they are there, or why they are not. */
export function Shown<Data>({ of, children }: { of: Loaded<Data>; children: (data: Data) => ComponentChildren }) {
  if (of.error) return <Failure error={of.error} again={of.again} />;
  return of.data === undefined ? <Waiting /> : <>{children(of.data)}</>;
}

/** What to do where nothing is. */
export function Empty({ children }: { children: ComponentChildren }) {
  return <div class="empty">{children}</div>;
}

type FieldProps = {
  label: string;
  value: string;
  onValue: (value: string) => void;
  type?: string;
  hint?: string;
  required?: boolean;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  autocomplete?: string;
  inputMode?: "numeric";
  rows?: number;
};

/** A labelled line or box of text. */
export function Field({ label, value, onValue, hint, rows, ...rest }: FieldProps) {
  const id = useId();
  const shared = {
    id,
    value,
    "aria-describedby": hint ? `${id}-hint` : undefined,
    onInput: (event: Event) => onValue((event.currentTarget as HTMLInputElement).value),
    ...rest,
  };
  return (
    <div class="field">
      <label for={id}>{label}{rest.required ? " *" : ""}</label>
      {rows ? <textarea rows={rows} {...shared} /> : <input {...(shared as object)} />}
      {hint && <p class="small" id={`${id}-hint`}>{hint}</p>}
    </div>
  );
}

/** A labelled choice of one. */
export function Choice<Value extends string>(props: { label: string; value: Value; options: readonly [Value, string][]; onValue: (value: Value) => void }) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <select id={id} value={props.value} onChange={(event) => props.onValue(event.currentTarget.value as Value)}>
        {props.options.map(([value, text]) => <option key={value} value={value}>{text}</option>)}
      </select>
    </div>
  );
}

/** A form that is sent once, with its button and what went wrong. */
export function Form(props: { task: Task; send: () => Promise<unknown>; label: string; children: ComponentChildren; onDone?: () => void; isReady?: boolean }) {
  const submit = async (event: Event) => {
    event.preventDefault();
    if (await props.task.run(props.send)) props.onDone?.();
  };
  return (
    <form onSubmit={submit}>
      {props.children}
      <Failure error={props.task.error} />
      <button class="primary" disabled={props.task.isBusy || props.isReady === false}>{props.task.isBusy ? t("working") : props.label}</button>
    </form>
  );
}

/** The browser's own dialog: it keeps the focus inside, and Escape closes it. */
export function Dialog(props: { title: string; onClose: () => void; children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const isGone = useRef(false);
  const id = useId();
  // Of layout, so that it closes while it is still in the document.
  useLayoutEffect(() => {
    const shown = dialog.current!;
    shown.showModal();
    return () => {
      isGone.current = true;
      shown.close(); // which gives the focus back to what opened it; being taken away does not
    };
  }, []);
  return (
    <dialog ref={dialog} aria-labelledby={id} onClose={() => isGone.current || props.onClose()}>
      <header>
        <h2 id={id}>{props.title}</h2>
        <button type="button" class="plain" aria-label={t("close")} onClick={() => dialog.current?.close()}>✕</button>
      </header>
      {props.children}
    </dialog>
  );
}

/** A button that asks once more, in its own place, before it does what cannot be undone. */
export function Sure(props: { label: string; question: string; onSure: () => void; isBusy?: boolean }) {
  const [isAsking, setAsking] = useState(false);
  if (!isAsking) return <button type="button" class="danger" disabled={props.isBusy} onClick={() => setAsking(true)}>{props.label}</button>;
  return (
    <div class="notice" role="group" aria-label={props.question}>
      <p>{props.question}</p>
      <button type="button" class="danger" onClick={() => (setAsking(false), props.onSure())}>{props.label}</button>{" "}
      <button type="button" onClick={() => setAsking(false)}>{t("cancel")}</button>
    </div>
  );
}

/** Pages of a list, of which one is shown at a time. */
export function usePages(): { cursor: string | undefined; first: () => void; turns: (next: string | null | undefined) => ComponentChildren } {
  const [before, setBefore] = useState<string[]>([]);
  const turns = (next: string | null | undefined) =>
    next || before.length > 0 ? (
      <nav class="pages" aria-label={t("pages")}>
        <button type="button" disabled={before.length === 0} onClick={() => setBefore(before.slice(0, -1))}>{t("previous")}</button>
        <span>{t("page_number", { number: before.length + 1 })}</span>
        <button type="button" disabled={!next} onClick={() => next && setBefore([...before, next])}>{t("next")}</button>
      </nav>
    ) : null;
  return { cursor: before.at(-1), first: () => setBefore([]), turns };
}

/** A moment, by the hotel's clock and in the language of whoever reads it. */
export function When({ at }: { at: string }) {
  return <time dateTime={at}>{shownAt(at, { dateStyle: "medium", timeStyle: "short" })}</time>;
}

/** A file's picture; the browser keeps the bytes until it leaves the page. */
export function Picture({ file, alt }: { file: Blob; alt: string }) {
  const [address, setAddress] = useState("");
  useEffect(() => {
    const made = URL.createObjectURL(file);
    setAddress(made);
    return () => URL.revokeObjectURL(made);
  }, [file]);
  return address ? <img src={address} alt={alt} /> : null;
}

/** Photos from files or, on a phone, from its camera. */
export function PickPhotos(props: { label: string; isMany?: boolean; fromCamera?: boolean; accept?: string; onFiles: (files: File[]) => void }) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <input
        id={id}
        type="file"
        accept={props.accept ?? "image/*"}
        multiple={props.isMany ?? false}
        {...(props.fromCamera ? { capture: "environment" } : {})}
        onChange={({ currentTarget }) => {
          props.onFiles(Array.from(currentTarget.files ?? []));
          currentTarget.value = "";
        }}
      />
    </div>
  );
}
