/** The housekeeping board: rooms by floor, live; photos that are judged; a person's word over the camera's. */
import type { Schemas } from "cv-service-client";
import { useState } from "preact/hooks";

import { cv, useEvents, useLoad, useTask } from "../api.ts";
import { Choice, Dialog, Empty, Field, Form, PickPhotos, Picture, Shown, usePages, When } from "../parts.tsx";
import { may } from "../state.ts";
import { named, t } from "../text.ts";
import { Cleaning, Comparison, Crops, Tickets } from "./room-work.tsx";

type Room = Schemas["RoomStatusResponse"];
type Status = Schemas["RoomStatus"];
type Analysis = Schemas["RoomAnalysisResponse"];
const STATUSES: readonly Status[] = ["clean", "dirty", "maintenance"];
const MARKS: Record<Status, string> = { clean: "✓", dirty: "✗", maintenance: "⚒" };
const PAGE = 100;
const MAX_PHOTOS = 10;

export function Housekeeping() {
  const [side, setSide] = useState<"rooms" | "tickets">("rooms");
  return (
    <>
      <h1>{t("housekeeping")}</h1>
      <div class="tabs">
        <button type="button" aria-pressed={side === "rooms"} onClick={() => setSide("rooms")}>{t("rooms")}</button>
        <button type="button" aria-pressed={side === "tickets"} onClick={() => setSide("tickets")}>{t("tickets")}</button>
      </div>
      {side === "rooms" ? <Board /> : <Tickets />}
    </>
  );
}

function Board() {
  const [status, setStatus] = useState<Status | "">("");
  const [chosen, setChosen] = useState<string | null>(null);
  const [isNew, setNew] = useState(false);
  const pages = usePages();
  const query = { limit: PAGE, ...(status ? { status } : {}), ...(pages.cursor ? { cursor: pages.cursor } : {}) };
  const rooms = useLoad((signal) => cv.listRoomStatuses({ query, signal }), [status, pages.cursor]);
  useEvents(may("events:room") ? ["room.status_changed"] : [], rooms.again);
  const options: [Status | "", string][] = [["", t("all")], ...STATUSES.map((one): [Status, string] => [one, t(one)])];
  return (
    <>
      <div class="bar">
        <Choice label={t("state")} value={status} options={options} onValue={(value) => (pages.first(), setStatus(value))} />
        {may("room:write") && <button type="button" class="primary" onClick={() => setNew(true)}>{t("inspect")}</button>}
      </div>
      <Shown of={rooms}>
        {(page) => page.items.length === 0 ? <Empty><p>{t(status ? "rooms_none_so" : "rooms_empty")}</p></Empty> : (
          <>
            {byFloor(page.items).map(([floor, on]) => (
              <section key={floor} aria-label={t("floor", { floor })}>
                <h2>{t("floor", { floor })}</h2>
                <ul class="cards">{on.map((room) => <Card key={room.room_number} room={room} onOpen={() => setChosen(room.room_number)} />)}</ul>
              </section>
            ))}
            {pages.turns(page.next_cursor)}
          </>
        )}
      </Shown>
      {chosen && <RoomDialog number={chosen} onClose={() => setChosen(null)} onChanged={rooms.again} />}
      {isNew && <Dialog title={t("inspect")} onClose={() => setNew(false)}><Inspection onDone={rooms.again} /></Dialog>}
    </>
  );
}

/** Rooms of one floor share all of their number but its last two digits. */
function byFloor(rooms: readonly Room[]): [string, Room[]][] {
  const floors = new Map<string, Room[]>();
  for (const room of rooms) {
    const floor = /^(.+)\d\d$/.exec(room.room_number)?.[1] ?? "–";
    floors.set(floor, [...(floors.get(floor) ?? []), room]);
  }
  return [...floors].sort(([one], [other]) => one.localeCompare(other, undefined, { numeric: true }));
}

function Card({ room, onOpen }: { room: Room; onOpen: () => void }) {
  return (
    <li class={`room ${room.status}`}>
      <button type="button" class="plain" onClick={onOpen}>{room.room_number}</button>
      <p><span aria-hidden="true">{MARKS[room.status]}</span> {t(room.status)}</p>
      {room.ready_for_guest && <p class="good">{t("ready")}</p>}
      {room.uncertain && <p class="small">{t("uncertain")}</p>}
      <p class="small"><When at={room.changed_at} /> {room.changed_by}</p>
    </li>
  );
}

function RoomDialog({ number, onClose, onChanged }: { number: string; onClose: () => void; onChanged: () => void }) {
  const path = { room_number: number };
  const room = useLoad((signal) => cv.getRoomStatus({ path, signal }), [number]);
  const history = useLoad((signal) => cv.getRoomHistory({ path, query: { limit: 10 }, signal }), [number]);
  const changed = () => (room.again(), history.again(), onChanged());
  return (
    <Dialog title={`${t("room")} ${number}`} onClose={onClose}>
      <Shown of={room}>
        {(found) => (
          <>
            <dl>
              <dt>{t("state")}</dt><dd>{t(found.status)} {found.ready_for_guest ? `· ${t("ready")}` : ""}</dd>
              <dt>{t("changed_at")}</dt><dd><When at={found.changed_at} /> {found.changed_by}</dd>
            </dl>
            {may("room:write") && <Cleaning number={number} />}
            {may("room:write") && <Correction room={found} onDone={changed} />}
          </>
        )}
      </Shown>
      {may("room:write") && <details><summary>{t("inspect")}</summary><Inspection number={number} onDone={changed} /></details>}
      <Comparison number={number} latest={history.data?.items[0]} />
      <details><summary>{t("tickets")}</summary><Tickets number={number} /></details>
      <h3>{t("history")}</h3>
      <Shown of={history}>
        {({ items }) => items.length === 0 ? <p>{t("none")}</p> : (
          <ul class="lines">
            {items.map((one, at) => (
              <li key={one.analysis_id}>
                <When at={one.analyzed_at} />: {one.overall_status === "unknown" ? t("unknown") : t(one.overall_status)}
                {one.corrected_to && ` → ${t(one.corrected_to)}`} {one.analyzed_by}
                {at === 0 ? <Crops of={one.tags.map((tag) => [named(tag.label), tag.crop_url])} /> : <Tags labels={one.tags.map(({ label }) => label)} />}
              </li>
            ))}
          </ul>
        )}
      </Shown>
    </Dialog>
  );
}

function Tags({ labels }: { labels: readonly string[] }) {
  return <>{[...new Set(labels)].filter(Boolean).map((label) => <span class="tag" key={label}>{named(label)}</span>)}</>;
}

/** A person's word: it counts until the next analysis, and maintenance until a person lifts it. */
function Correction({ room, onDone }: { room: Room; onDone: () => void }) {
  const [status, setStatus] = useState(room.status);
  const [note, setNote] = useState("");
  const task = useTask();
  const body = { status, ...(room.analysis_id ? { analysis_id: room.analysis_id } : {}), ...(note.trim() ? { note } : {}) };
  const send = () => cv.giveRoomFeedback({ path: { room_number: room.room_number }, body });
  return (
    <fieldset>
      <legend>{t("correct")}</legend>
      <Form task={task} send={send} label={t("save")} onDone={onDone}>
        <Choice label={t("state")} value={status} options={STATUSES.map((one): [Status, string] => [one, t(one)])} onValue={setStatus} />
        <Field label={t("note")} value={note} onValue={setNote} maxLength={1000} />
      </Form>
    </fieldset>
  );
}

function Inspection({ number = "", onDone }: { number?: string; onDone: () => void }) {
  const [room, setRoom] = useState(number);
  const [photos, setPhotos] = useState<File[]>([]);
  const [answer, setAnswer] = useState<Analysis | null>(null);
  const task = useTask();
  const add = (more: File[]) => (setAnswer(null), setPhotos((all) => [...all, ...more].slice(0, MAX_PHOTOS)));
  const send = async () => setAnswer(await cv.analyzeRoom({ body: { room_number: room, images: photos } as never })); // files
  return (
    <>
      <Form task={task} send={send} label={t("judge")} onDone={onDone} isReady={photos.length > 0}>
        {!number && <Field label={t("room")} value={room} onValue={setRoom} required maxLength={10} pattern="[A-Za-z0-9][A-Za-z0-9_.\-]*" />}
        <PickPhotos label={t("room_photos")} isMany fromCamera onFiles={add} />
        <p class="small">{t("room_photos_hint")}</p>
        <ul class="photos">{photos.map((photo, at) => <li key={`${photo.name}${at}`}><Picture file={photo} alt={t("photo_number", { number: at + 1 })} /></li>)}</ul>
      </Form>
      {answer && <Verdict answer={answer} />}
    </>
  );
}

function Verdict({ answer }: { answer: Analysis }) {
  return (
    <div role="status" class={`notice ${answer.ready_for_guest ? "good" : ""}`}>
      <p><strong>{answer.overall_status === "unknown" ? t("unknown") : t(answer.overall_status)}</strong> · {t("sure", { percent: Math.round(answer.confidence * 100) })}</p>
      {answer.message && <p>{answer.message}</p>}
      {answer.estimated_cleaning_time_minutes > 0 && <p>{t("minutes", { minutes: answer.estimated_cleaning_time_minutes })}</p>}
      {answer.not_seen.length > 0 && <p>{t("not_seen")}: {answer.not_seen.map(named).join(", ")}</p>}
      <Crops of={answer.tags.map((tag) => [named(tag.label), tag.crop_url])} />
      {answer.no_room_photos.length > 0 && <p>{t("no_room_photos", { numbers: answer.no_room_photos.map((at) => at + 1).join(", ") })}</p>}
    </div>
  );
}
