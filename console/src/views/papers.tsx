/** The invoice inbox: files that are dropped are read one after another, looked at beside their fields, and confirmed. */
import type { Schemas } from "cv-service-client";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { cv, download, useLoad, useTask } from "../api.ts";
import { Choice, Dialog, Empty, Failure, Field, Form, PickPhotos, Picture, Shown, Unread, usePages, When } from "../parts.tsx";
import { language } from "../state.ts";
import { t, type Key } from "../text.ts";

type Listed = Schemas["ListedResultInfo"];
const PAGE = 50;
const MARGIN = 0.005; // of the picture, between print and frame
const LOW = 0.8; // below it a value is marked
const FIELDS = ["vendor", "vendor_tax_code", "invoice_serial", "invoice_number", "date", "currency", "total_amount"] as const;
type FieldName = (typeof FIELDS)[number];
type Data = Record<string, unknown> & { fields?: Record<string, Schemas["InvoiceField"]> };
const ACCEPTED = "image/*,application/pdf,.xml";

export function Papers() {
  const [side, setSide] = useState<"false" | "true" | "">("false");
  const [waiting, setWaiting] = useState<File[]>([]);
  const [chosen, setChosen] = useState<number | null>(null);
  const [failed, setFailed] = useState<[string, unknown][]>([]);
  const pages = usePages();
  const query = { document_type: "invoice" as const, limit: PAGE, ...(side ? { confirmed: side === "true" } : {}), ...(pages.cursor ? { cursor: pages.cursor } : {}) };
  const results = useLoad((signal) => cv.listDocumentResults({ query: query as never, signal }), [side, pages.cursor]);
  const exporting = useTask();

  const queue = useRef<File[]>([]);
  const read = async (files: File[]) => {
    const isReading = queue.current.length > 0;
    queue.current.push(...files);
    setWaiting([...queue.current]);
    if (isReading) return;
    setFailed([]);
    for (let file = queue.current[0]; file; file = queue.current[0]) {
      const problem = await readOne(file, files.length === 1 && queue.current.length === 1 ? setChosen : undefined);
      if (problem) setFailed((all) => [...all, [file!.name, problem]]);
      queue.current.shift();
      setWaiting([...queue.current]);
      results.again();
    }
  };
  const save = () => exporting.run(async () => download(await cv.exportInvoices({ query: { format: "xlsx" } }) as Blob, "invoices.xlsx"));
  // Beside the list too: a browser leaves the page for a file that nothing takes.
  useEffect(() => {
    const drop = (event: DragEvent) => (event.preventDefault(), void read(Array.from(event.dataTransfer?.files ?? [])));
    const hover = (event: DragEvent) => event.preventDefault();
    addEventListener("dragover", hover);
    addEventListener("drop", drop);
    return () => {
      removeEventListener("dragover", hover);
      removeEventListener("drop", drop);
    };
  }, []);
  /** Whoever goes through what waits has the next one before them. */
  const done = (id: number) => {
    const ids = side === "false" ? results.data?.items.map(({ result_id: one }) => one) ?? [] : [];
    setChosen(ids[ids.indexOf(id) + 1] ?? null);
    results.again();
  };
  const sides: ["false" | "true" | "", string][] = [["false", t("to_confirm")], ["true", t("confirmed")], ["", t("all")]];
  return (
    <>
      <h1>{t("papers")}</h1>
      <div class="bar">
        <PickPhotos label={t("drop_invoices")} isMany accept={ACCEPTED} onFiles={(files) => void read(files)} />
        <Choice label={t("state")} value={side} options={sides} onValue={(value) => (pages.first(), setSide(value))} />
        <button type="button" disabled={exporting.isBusy} onClick={save}>{t("export_table")}</button>
      </div>
      <p role="status">{waiting.length > 0 && t("reading", { count: waiting.length, name: waiting[0]!.name })}</p>
      {failed.map(([name, error]) => <div key={name}><strong>{name}</strong><Failure error={error} /></div>)}
      <Failure error={exporting.error} />
      <Shown of={results}>
        {(page) => page.items.length === 0 ? <Empty><p>{t("papers_empty")}</p></Empty> : (
          <>
            <div class="scroll" tabIndex={0} role="region" aria-label={t("papers")}>
              <table>
                <thead><tr><th scope="col">{t("vendor")}</th><th scope="col">{t("invoice_number")}</th><th scope="col">{t("date")}</th><th scope="col">{t("total_amount")}</th><th scope="col">{t("read_at")}</th></tr></thead>
                <tbody>{page.items.map((one) => <Row key={one.result_id} result={one} onOpen={() => setChosen(one.result_id)} />)}</tbody>
              </table>
            </div>
            {pages.turns(page.next_cursor)}
          </>
        )}
      </Shown>
      {chosen !== null && <Invoice key={chosen} id={chosen} onClose={() => setChosen(null)} onDone={() => done(chosen)} />}
    </>
  );
}

/** Read a file; why that was not possible. A long PDF becomes a job, whose result is in the list when it has ended. */
async function readOne(file: File, onRead?: (id: number) => void): Promise<unknown> {
  try {
    const answer = await cv.readInvoice({ body: { image: file, keep_image: true } as never }); // a file, not base64
    if ("job_id" in answer) await cv.finished(answer.job_id);
    else if (!answer.success) return new Unread(answer.message ?? answer.error ?? "");
    else if (answer.result_id) onRead?.(answer.result_id);
    return null;
  } catch (error) {
    return error;
  }
}

function Row({ result, onOpen }: { result: Listed; onOpen: () => void }) {
  const { invoice } = result;
  return (
    <tr>
      <td><button type="button" class="plain" onClick={onOpen}>{invoice?.vendor ?? t("unknown_vendor")}</button></td>
      <td>{invoice?.invoice_number}</td>
      <td>{invoice?.date}</td>
      <td class="number">{money(invoice?.total_amount, invoice?.currency)}</td>
      <td><When at={result.processed_at} /></td>
    </tr>
  );
}

function money(amount: number | null | undefined, currency: string | null | undefined): string {
  return amount === null || amount === undefined ? "" : `${new Intl.NumberFormat(language.value).format(amount)} ${currency ?? ""}`;
}

function Invoice({ id, onClose, onDone }: { id: number; onClose: () => void; onDone: () => void }) {
  const [current, setCurrent] = useState<FieldName | null>(null);
  const result = useLoad((signal) => cv.getDocumentResult({ path: { result_id: id } as never, query: { picture: true }, signal }), [id]);
  return (
    <Dialog title={t("invoice")} onClose={onClose}>
      <Shown of={result}>
        {(found) => (
          <div class={found.picture ? "beside" : ""}>
            {found.picture && <Marked picture={found.picture} data={found.extracted_data as Data} current={current} />}
            <Check id={id} data={found.extracted_data as Data} onDone={onDone} onField={setCurrent} />
          </div>
        )}
      </Shown>
    </Dialog>
  );
}

/** The first page with the lines that say the values; those of the field that is looked at stand out. */
function Marked({ picture, data, current }: { picture: string; data: Data; current: FieldName | null }) {
  const file = useMemo(() => new Blob([Uint8Array.from(atob(picture), (letter) => letter.charCodeAt(0))], { type: "image/jpeg" }), [picture]);
  return (
    <div class="drawing">
      <Picture file={file} alt={t("first_page")} />
      <svg viewBox="0 0 1 1" preserveAspectRatio="none" role="img" aria-label={t("printed_places")}>
        {FIELDS.flatMap((name) =>
          (data.fields?.[name]?.places ?? []).filter(({ page }) => page === 1).map(({ x, y, width, height }, at) => (
            <rect key={`${name} ${at}`} class={name === current ? "current" : "place"} data-field={name} x={x - MARGIN} y={y - MARGIN} width={width + 2 * MARGIN} height={height + 2 * MARGIN} />
          )),
        )}
      </svg>
    </div>
  );
}

function Check({ id, data, onDone, onField }: { id: number; data: Data; onDone: () => void; onField: (name: FieldName | null) => void }) {
  const text = (name: FieldName) => (data[name] === null || data[name] === undefined ? "" : String(data[name]));
  const [values, setValues] = useState(() => Object.fromEntries(FIELDS.map((name) => [name, text(name)])) as Record<FieldName, string>);
  const fields = useRef<HTMLDivElement>(null);
  const task = useTask();
  useEffect(() => (fields.current!.querySelector<HTMLElement>(".low input") ?? fields.current!.querySelector("input"))?.focus(), []);
  /** What was left as it was read stays so, with what is known of it; what was emptied is not known. */
  const send = () => {
    const changed = FIELDS.filter((name) => values[name].trim() !== text(name));
    const value = (given: string, name: FieldName) => (given === "" ? null : name === "total_amount" ? Number(given) : given);
    return cv.confirmDocumentResult({ path: { result_id: id } as never, body: Object.fromEntries(changed.map((name) => [name, value(values[name].trim(), name)])) });
  };
  const sureness = (name: FieldName) => data.fields?.[name]?.confidence;
  return (
    <Form task={task} send={send} label={t("confirm")} onDone={onDone}>
      <div ref={fields}>{FIELDS.map((name) => {
        const sure = sureness(name);
        const isLow = sure !== undefined && sure < LOW;
        return (
          <div key={name} class={isLow ? "low" : ""} onFocusIn={() => onField(name)} onFocusOut={() => onField(null)}>
            <Field
              label={t(name as Key)}
              value={values[name]}
              onValue={(value) => setValues((last) => ({ ...last, [name]: value }))}
              type={name === "date" ? "date" : name === "total_amount" ? "number" : "text"}
              maxLength={200}
              {...(isLow ? { hint: t("low_confidence", { percent: Math.round(sure * 100) }) } : {})}
            />
          </div>
        );
      })}</div>
    </Form>
  );
}
