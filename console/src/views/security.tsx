/** Incidents: what the cameras raised, newest first and live; who takes it on, and what it was. */
import type { Schemas } from "cv-service-client";
import { useState } from "preact/hooks";

import { cv, useEvents, useLoad, useTask } from "../api.ts";
import { Choice, Dialog, Empty, Failure, Field, Form, Shown, usePages, When } from "../parts.tsx";
import { may } from "../state.ts";
import { named, t } from "../text.ts";
import { Cameras } from "./cameras.tsx";

type Incident = Schemas["IncidentInfo"];
type Side = "open" | "resolved" | "";
const PAGE = 24;
const MUTE_MINUTES = 30;

export function Security() {
  const [side, setSide] = useState<"incidents" | "cameras">("incidents");
  return (
    <>
      <h1>{t("security")}</h1>
      {may("cameras:read") && (
        <div class="tabs">
          <button type="button" aria-pressed={side === "incidents"} onClick={() => setSide("incidents")}>{t("incidents")}</button>
          <button type="button" aria-pressed={side === "cameras"} onClick={() => setSide("cameras")}>{t("cameras")}</button>
        </div>
      )}
      {side === "incidents" ? <Incidents /> : <Cameras />}
    </>
  );
}

function Incidents() {
  const [status, setStatus] = useState<Side>("");
  const [chosen, setChosen] = useState<string | null>(null);
  const pages = usePages();
  const query = { limit: PAGE, ...(status ? { status } : {}), ...(pages.cursor ? { cursor: pages.cursor } : {}) };
  const incidents = useLoad((signal) => cv.listIncidents({ query, signal }), [status, pages.cursor]);
  useEvents(may("events:anomaly") ? ["anomaly.alerts"] : [], incidents.again);
  const options: [Side, string][] = [["", t("all")], ["open", t("incident_open")], ["resolved", t("incident_resolved")]];
  return (
    <>
      <div class="bar">
        <Choice label={t("state")} value={status} options={options} onValue={(value) => (pages.first(), setStatus(value))} />
        {may("cameras:write") && <Alarms />}
      </div>
      <Shown of={incidents}>
        {(page) => page.items.length === 0 ? <Empty><p>{t("incidents_empty")}</p></Empty> : (
          <>
            <ul class="cards">{page.items.map((one) => <Card key={one.public_id} incident={one} onOpen={() => setChosen(one.public_id)} />)}</ul>
            {pages.turns(page.next_cursor)}
          </>
        )}
      </Shown>
      {chosen && <Detail id={chosen} onClose={() => setChosen(null)} onChanged={incidents.again} />}
    </>
  );
}

function Card({ incident, onOpen }: { incident: Incident; onOpen: () => void }) {
  return (
    <li class={`incident ${incident.status}`}>
      {incident.frame_url && <img src={incident.frame_url} alt={named(incident.type)} loading="lazy" />}
      <button type="button" class="plain" onClick={onOpen}>{named(incident.type)} · {incident.camera_id}</button>
      <p><span class="tag">{t(`incident_${incident.status}`)}</span><span class="tag">{t(`severity_${incident.severity}`)}</span>{incident.false_alarm_at && <span class="tag">{t("false_alarm")}</span>}</p>
      <p class="small"><When at={incident.started_at} /></p>
    </li>
  );
}

function Detail({ id, onClose, onChanged }: { id: string; onClose: () => void; onChanged: () => void }) {
  const path = { incident_id: id };
  const incident = useLoad((signal) => cv.getIncident({ path, signal }), [id]);
  const [note, setNote] = useState("");
  const task = useTask();
  const noting = useTask();
  const changed = () => (incident.again(), onChanged());
  const act = (work: () => Promise<unknown>) => () => task.run(async () => (await work(), changed()));
  return (
    <Dialog title={t("incident")} onClose={onClose}>
      <Shown of={incident}>
        {(found) => (
          <>
            {found.frame_url && <img class="wide" src={found.marked_frame_url ?? found.frame_url} alt={found.description} />}
            {found.clip_url && <video class="wide" src={found.clip_url} controls muted aria-label={t("clip")} />}
            <p>{found.description}</p>
            <dl>
              <dt>{t("kind")}</dt><dd>{named(found.type)} · {t(`severity_${found.severity}`)}</dd>
              <dt>{t("camera")}</dt><dd>{[found.camera_id, found.zone].filter(Boolean).join(" · ")}</dd>
              <dt>{t("state")}</dt><dd>{t(`incident_${found.status}`)}</dd>
            </dl>
            <h3>{t("time_line")}</h3>
            <ol class="lines">
              {moments(found).map(([key, at, by]) => <li key={key}><When at={at} /> {t(key)} {by}</li>)}
              {found.notes.map((one) => <li key={one.id}><When at={one.written_at} /> {one.written_by}: {one.text}</li>)}
            </ol>
            <Failure error={task.error} />
            <p class="bar">
              {!found.acknowledged_at && <button type="button" class="primary" disabled={task.isBusy} onClick={act(() => cv.acknowledgeIncident({ path, body: {} }))}>{t("acknowledge")}</button>}
              {found.false_alarm_at
                ? <button type="button" disabled={task.isBusy} onClick={act(() => cv.takeBackFalseAlarm({ path }))}>{t("undo_false_alarm")}</button>
                : <button type="button" disabled={task.isBusy} onClick={act(() => cv.tellFalseAlarm({ path, body: {} }))}>{t("false_alarm")}</button>}
              {found.status !== "resolved" && <button type="button" disabled={task.isBusy} onClick={act(() => cv.resolveIncident({ path, body: {} }))}>{t("resolve")}</button>}
            </p>
            <Form task={noting} label={t("add_note")} send={() => cv.addIncidentNote({ path, body: { text: note } })} onDone={() => (setNote(""), changed())}>
              <Field label={t("note")} value={note} onValue={setNote} rows={2} maxLength={2000} required />
            </Form>
          </>
        )}
      </Shown>
    </Dialog>
  );
}

function moments(incident: Incident) {
  const all = [
    ["began", incident.started_at, null],
    ["alerted", incident.alerted_at, null],
    ["acknowledged", incident.acknowledged_at, incident.acknowledged_by],
    ["escalated", incident.escalated_at, null],
    ["false_alarm", incident.false_alarm_at, incident.false_alarm_by],
    ["over", incident.ended_at, null],
    ["incident_resolved", incident.resolved_at, incident.resolved_by],
  ] as const;
  return all.filter((one): one is typeof one & readonly [unknown, string, unknown] => one[1] !== null).sort((one, other) => one[1].localeCompare(other[1]));
}

/** Arm, disarm and mute all cameras. */
function Alarms() {
  const [told, setTold] = useState("");
  const task = useTask();
  const set = (body: Schemas["AlarmsRequest"], said: string) => () => task.run(async () => (await cv.changeAlarms({ body }), setTold(said)));
  return (
    <div role="group" aria-label={t("all_cameras")}>
      <p class="small" role="status">{told || t("all_cameras")}</p>
      <button type="button" onClick={set({ armed: true }, t("armed"))}>{t("arm")}</button>{" "}
      <button type="button" onClick={set({ armed: false }, t("disarmed"))}>{t("disarm")}</button>{" "}
      <button type="button" onClick={set({ mute_minutes: MUTE_MINUTES }, t("muted", { minutes: MUTE_MINUTES }))}>{t("mute", { minutes: MUTE_MINUTES })}</button>{" "}
      <button type="button" onClick={set({ mute_minutes: 0 }, t("unmuted"))}>{t("unmute")}</button>
      <Failure error={task.error} />
    </div>
  );
}
