/** Guests' stays: papers that are read, what they lack completed by hand, and the lists of a day for the police. */
import type { Schemas } from "cv-service-client";
import { useState } from "preact/hooks";

import { cv, download, useLoad, useTask } from "../api.ts";
import { Choice, Dialog, Empty, Failure, Field, Form, PickPhotos, Shown, Sure, usePages, When } from "../parts.tsx";
import { hotelDay } from "../state.ts";
import { named, t, type Key } from "../text.ts";

type Stay = Schemas["StayInfo"];
type Kind = Schemas["StayKind"];
const PAGE = 50;
const MAX_PAPERS = 6;
const DATES = ["date_of_birth", "document_expiry", "visa_expiry", "entry_date", "arrival", "departure"];
const FIELDS = [
  "full_name", "date_of_birth", "gender", "nationality", "document_type", "document_number", "document_expiry", "address", "visa_number",
  "visa_type", "visa_expiry", "entry_date", "entry_port", "purpose", "room_number", "arrival", "departure", "note",
] as const;
type FieldName = (typeof FIELDS)[number];
const CHOICES: Partial<Record<FieldName, readonly string[]>> = {
  gender: ["Male", "Female"],
  document_type: ["passport", "id_card", "driver_license", "other"],
};

export function Stays() {
  const [day, setDay] = useState(hotelDay());
  const [chosen, setChosen] = useState<string | null>(null);
  const [isNew, setNew] = useState(false);
  const pages = usePages();
  const query = { limit: PAGE, ...(day ? { arriving_on: day } : {}), ...(pages.cursor ? { cursor: pages.cursor } : {}) };
  const stays = useLoad((signal) => cv.listStays({ query, signal }), [day, pages.cursor]);
  const registered = (id: string) => (setNew(false), setChosen(id), stays.again());
  return (
    <>
      <h1>{t("stays")}</h1>
      <div class="bar">
        <Field label={t("arrival")} type="date" value={day} onValue={(value) => (pages.first(), setDay(value))} />
        <button type="button" class="primary" onClick={() => setNew(true)}>{t("register_guest")}</button>
      </div>
      <Export day={day} />
      <Shown of={stays}>
        {(page) => page.items.length === 0 ? <Empty><p>{t("stays_empty")}</p></Empty> : (
          <>
            <div class="scroll" tabIndex={0} role="region" aria-label={t("stays")}>
              <table>
                <thead><tr><th scope="col">{t("full_name")}</th><th scope="col">{t("room")}</th><th scope="col">{t("nationality")}</th><th scope="col">{t("departure")}</th><th scope="col">{t("state")}</th></tr></thead>
                <tbody>{page.items.map((stay) => <Row key={stay.stay_id} stay={stay} onOpen={() => setChosen(stay.stay_id)} />)}</tbody>
              </table>
            </div>
            {pages.turns(page.next_cursor)}
          </>
        )}
      </Shown>
      {isNew && <Registration day={day} onClose={() => setNew(false)} onDone={registered} />}
      {chosen && <Record id={chosen} onClose={() => setChosen(null)} onChanged={stays.again} />}
    </>
  );
}

function Row({ stay, onOpen }: { stay: Stay; onOpen: () => void }) {
  const value = (name: FieldName) => stay.fields[name]?.value;
  return (
    <tr>
      <td><button type="button" class="plain" onClick={onOpen}>{value("full_name") ?? t("unknown_guest")}</button></td>
      <td>{value("room_number")}</td>
      <td>{value("nationality")}</td>
      <td>{value("departure")}</td>
      <td class={stay.complete ? "good" : "bad"}>{stay.complete ? t("complete") : t("lacks", { names: stay.missing.map(named).join(", ") })}</td>
    </tr>
  );
}

/** The list of the guests who arrive on a day; what lacks something is refused, unless somebody wants it so. */
function Export({ day }: { day: string }) {
  const [kind, setKind] = useState<Kind>("foreign");
  const [takesAll, setTakesAll] = useState(false);
  const task = useTask();
  const kinds: [Kind, string][] = [["foreign", t("foreign")], ["vietnamese", t("vietnamese")]];
  const save = () =>
    task.run(async () => {
      const query = { kind, date: day, format: "xlsx" as const, incomplete: takesAll };
      download((await cv.exportStays({ query })) as Blob, `stays-${kind}-${day}.xlsx`);
    });
  return (
    <fieldset>
      <legend>{t("list_of_day")}</legend>
      <div class="inline">
        <Choice label={t("guests")} value={kind} options={kinds} onValue={setKind} />
        <label class="check"><input type="checkbox" checked={takesAll} onChange={({ currentTarget }) => setTakesAll(currentTarget.checked)} /> {t("incomplete_too")}</label>
        <button type="button" disabled={task.isBusy || !day} onClick={save}>{t("export_table")}</button>
      </div>
      <Failure error={task.error} />
    </fieldset>
  );
}

function Registration({ day, onClose, onDone }: { day: string; onClose: () => void; onDone: (id: string) => void }) {
  const [papers, setPapers] = useState<File[]>([]);
  const [room, setRoom] = useState("");
  const [arrival, setArrival] = useState(day);
  const [departure, setDeparture] = useState("");
  const task = useTask();
  const send = async () => {
    const body = { images: papers, ...(room ? { room_number: room } : {}), ...(arrival ? { arrival } : {}), ...(departure ? { departure } : {}) };
    onDone((await cv.registerStay({ body: body as never })).stay_id); // files, not base64
  };
  return (
    <Dialog title={t("register_guest")} onClose={onClose}>
      <Form task={task} send={send} label={t("read_papers")}>
        <PickPhotos label={t("guest_papers")} isMany fromCamera accept="image/*,application/pdf" onFiles={(more) => setPapers((all) => [...all, ...more].slice(0, MAX_PAPERS))} />
        <p class="small">{t("guest_papers_hint")}</p>
        <ul class="lines">{papers.map((paper, at) => <li key={`${paper.name}${at}`}>{paper.name}</li>)}</ul>
        <Field label={t("room")} value={room} onValue={setRoom} maxLength={10} pattern="[A-Za-z0-9][A-Za-z0-9_.\-]*" />
        <Field label={t("arrival")} type="date" value={arrival} onValue={setArrival} />
        <Field label={t("departure")} type="date" value={departure} onValue={setDeparture} />
      </Form>
    </Dialog>
  );
}

function Record({ id, onClose, onChanged }: { id: string; onClose: () => void; onChanged: () => void }) {
  const path = { stay_id: id };
  const stay = useLoad((signal) => cv.getStay({ path, signal }), [id]);
  const task = useTask();
  const erase = () => task.run(async () => (await cv.deleteStay({ path }), onChanged(), onClose()));
  return (
    <Dialog title={t("stay")} onClose={onClose}>
      <Shown of={stay}>
        {(found) => (
          <>
            <p class="small"><When at={found.changed_at} /> {found.changed_by}</p>
            {found.missing.length > 0 && <p class="notice bad">{t("lacks", { names: found.missing.map(named).join(", ") })}</p>}
            {found.warnings.map((warning) => <p key={warning} class="notice bad">{named(warning)}</p>)}
            <Completion stay={found} onDone={() => (stay.again(), onChanged())} />
          </>
        )}
      </Shown>
      <Failure error={task.error} />
      <Sure label={t("erase")} question={t("erase_stay")} isBusy={task.isBusy} onSure={erase} />
    </Dialog>
  );
}

/** Only what was changed is sent, so that what a paper says keeps its source. */
function Completion({ stay, onDone }: { stay: Stay; onDone: () => void }) {
  const [values, setValues] = useState(() => Object.fromEntries(FIELDS.map((name) => [name, stay.fields[name]?.value ?? ""])) as Record<FieldName, string>);
  const task = useTask();
  const send = () => {
    const changed = FIELDS.filter((name) => values[name].trim() !== (stay.fields[name]?.value ?? ""));
    const body = Object.fromEntries(changed.map((name) => [name, values[name].trim() || null]));
    return cv.changeStay({ path: { stay_id: stay.stay_id }, body });
  };
  return (
    <Form task={task} send={send} label={t("save")} onDone={onDone}>
      {FIELDS.map((name) => {
        const label = t((name === "room_number" ? "room" : name) as Key);
        const onValue = (value: string) => setValues((last) => ({ ...last, [name]: value }));
        const isLow = stay.unsure.includes(name) || stay.missing.includes(name);
        const options = CHOICES[name];
        return (
          <div key={name} class={isLow ? "low" : ""}>
            {options
              ? <Choice label={label} value={values[name]} options={["", ...options].map((one): [string, string] => [one, one ? named(one) : "–"])} onValue={onValue} />
              : <Field label={label} value={values[name]} onValue={onValue} type={DATES.includes(name) ? "date" : "text"} maxLength={200} {...(stay.unsure.includes(name) ? { hint: t("look_at_paper") } : {})} />}
          </div>
        );
      })}
    </Form>
  );
}
