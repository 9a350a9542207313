/** The work in a room: cleaning that begins and ends, tickets for what is broken, and how it looks beside how it should. */
import type { Schemas } from "cv-service-client";
import { Problem } from "cv-service-client";
import { useState } from "preact/hooks";

import { cv, useLoad, useTask } from "../api.ts";
import { Choice, Empty, Failure, Field, Form, PickPhotos, Shown, usePages, When } from "../parts.tsx";
import { may } from "../state.ts";
import { named, t } from "../text.ts";

type Ticket = Schemas["DefectInfo"];
type TicketState = Schemas["DefectState"];
const STATES: readonly TicketState[] = ["open", "in_progress", "done", "dismissed"];
const PAGE = 50;
const MAX_PHOTOS = 6;

export function Cleaning({ number }: { number: string }) {
  const [told, setTold] = useState("");
  const task = useTask();
  const report = (action: "start" | "stop") => () =>
    task.run(async () => {
      const done = await cv.reportCleaning({ path: { room_number: number }, body: { action } });
      setTold(action === "start" ? t("cleaning_began", { name: done.started_by ?? "" }) : t("cleaning_took", { minutes: done.minutes ?? 0 }));
    });
  return (
    <div role="group" aria-label={t("cleaning")}>
      <button type="button" disabled={task.isBusy} onClick={report("start")}>{t("start_cleaning")}</button>{" "}
      <button type="button" disabled={task.isBusy} onClick={report("stop")}>{t("stop_cleaning")}</button>
      <p role="status" class="small">{told}</p>
      <Failure error={task.error} />
    </div>
  );
}

/** Tickets, of one room or of all. */
export function Tickets({ number }: { number?: string }) {
  const [state, setState] = useState<TicketState | "">("open");
  const pages = usePages();
  const query = { limit: PAGE, ...(number ? { room_number: number } : {}), ...(state ? { state } : {}), ...(pages.cursor ? { cursor: pages.cursor } : {}) };
  const tickets = useLoad((signal) => cv.listDefects({ query, signal }), [number, state, pages.cursor]);
  const options: [TicketState | "", string][] = [["", t("all")], ...STATES.map((one): [TicketState, string] => [one, t(`ticket_${one}`)])];
  return (
    <>
      <Choice label={t("ticket_state")} value={state} options={options} onValue={(value) => (pages.first(), setState(value))} />
      <Shown of={tickets}>
        {(page) => page.items.length === 0 ? <Empty><p>{t("tickets_empty")}</p></Empty> : (
          <>
            <ul class="cards">{page.items.map((one) => <Card key={one.defect_id} ticket={one} onChanged={tickets.again} />)}</ul>
            {pages.turns(page.next_cursor)}
          </>
        )}
      </Shown>
    </>
  );
}

function Card({ ticket, onChanged }: { ticket: Ticket; onChanged: () => void }) {
  const [note, setNote] = useState(ticket.note ?? "");
  const [state, setState] = useState(ticket.state);
  const task = useTask();
  const send = () => cv.changeDefect({ path: { defect_id: ticket.defect_id }, body: { state, ...(note !== (ticket.note ?? "") ? { note } : {}) } });
  return (
    <li>
      {ticket.photo_url && <img src={ticket.photo_url} alt={named(ticket.label)} loading="lazy" />}
      <strong>{ticket.room_number} · {named(ticket.label)}</strong>
      <p class="small"><When at={ticket.reported_at} /> {ticket.reported_by}</p>
      {may("room:write") ? (
        <Form task={task} send={send} label={t("save")} onDone={onChanged}>
          <Choice label={t("state")} value={state} options={STATES.map((one): [TicketState, string] => [one, t(`ticket_${one}`)])} onValue={setState} />
          <Field label={t("note")} value={note} onValue={setNote} maxLength={1000} />
        </Form>
      ) : <p><span class="tag">{t(`ticket_${ticket.state}`)}</span> {ticket.note}</p>}
    </li>
  );
}

/** The newest photos beside the reference, which can be set here. */
export function Comparison({ number, latest }: { number: string; latest: Schemas["RoomHistoryEntry"] | undefined }) {
  const path = { room_number: number };
  const reference = useLoad((signal) => cv.getRoomReference({ path, signal }).catch(noneIfMissing), [number]);
  const [photos, setPhotos] = useState<File[]>([]);
  const task = useTask();
  const send = async () => {
    const images = await Promise.all(photos.map(base64));
    await cv.setRoomReference({ path, body: { images } });
  };
  return (
    <details>
      <summary>{t("compare")}</summary>
      <Shown of={reference}>
        {(found) => (
          <div class="beside">
            <Side title={t("as_it_should")} addresses={found?.photo_urls ?? []} />
            <Side title={t("as_it_is")} addresses={latest?.photos.map(({ url }) => url) ?? []} />
          </div>
        )}
      </Shown>
      <Crops of={latest?.changes.map((change) => [`${t(`change_${change.kind}`)} · ${t("photo_number", { number: change.photo + 1 })}`, change.crop_url]) ?? []} />
      {may("room:write") && (
        <Form task={task} send={send} label={t("set_reference")} isReady={photos.length > 0} onDone={() => (setPhotos([]), reference.again())}>
          <PickPhotos label={t("reference_photos")} isMany fromCamera onFiles={(more) => setPhotos((all) => [...all, ...more].slice(0, MAX_PHOTOS))} />
          <p class="small">{photos.map(({ name }) => name).join(", ")}</p>
        </Form>
      )}
    </details>
  );
}

/** What was found, each with its place cut out of the photo while that is kept. */
export function Crops({ of }: { of: readonly (readonly [string, string | null | undefined])[] }) {
  if (of.length === 0) return null;
  return (
    <ul class="photos">
      {of.map(([name, address], at) => (
        <li key={at}>
          {address && <a href={address} target="_blank" rel="noreferrer"><img src={address} alt={name} loading="lazy" /></a>}
          <p>{name}</p>
        </li>
      ))}
    </ul>
  );
}

function Side({ title, addresses }: { title: string; addresses: readonly string[] }) {
  return (
    <section>
      <h3>{title}</h3>
      {addresses.length === 0 ? <p>{t("none")}</p> : addresses.map((address, at) => <img class="wide" key={address} src={address} alt={`${title}: ${t("photo_number", { number: at + 1 })}`} loading="lazy" />)}
    </section>
  );
}

function noneIfMissing(error: unknown): null {
  if (error instanceof Problem && error.status === 404) return null;
  throw error;
}

async function base64(file: File): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const step = 32_768; // so many arguments a call takes
  let text = "";
  for (let at = 0; at < bytes.length; at += step) text += String.fromCharCode(...bytes.subarray(at, at + step));
  return btoa(text);
}
