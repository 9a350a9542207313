/** Who came and went on a day, and what only a person can let count. */
import type { Schemas } from "cv-service-client";
import { useState } from "preact/hooks";

import { cv, useEvents, useLoad, useTask } from "../api.ts";
import { Empty, Failure, Field, Shown, usePages, When } from "../parts.tsx";
import { hotelDay, may } from "../state.ts";
import { t } from "../text.ts";

type Entry = Schemas["AttendanceInfo"];
const PAGE = 50;

export function Attendance() {
  const [day, setDay] = useState(hotelDay());
  const pages = usePages();
  const query = { limit: PAGE, ...(day ? { day } : {}), ...(pages.cursor ? { cursor: pages.cursor } : {}) };
  const entries = useLoad((signal) => cv.listAttendance({ query, signal }), [day, pages.cursor]);
  useEvents(may("events:attendance") ? ["attendance.events"] : [], entries.again);
  return (
    <>
      <Unconfirmed onDecided={entries.again} />
      <div class="bar"><Field label={t("day")} type="date" value={day} onValue={(value) => (pages.first(), setDay(value))} /></div>
      <Shown of={entries}>
        {(page) => page.items.length === 0 ? <Empty><p>{t("attendance_empty")}</p></Empty> : (
          <>
            <Table entries={page.items} label={t("attendance")} />
            {pages.turns(page.next_cursor)}
          </>
        )}
      </Shown>
    </>
  );
}

/** What devices kept offline where a living face had to be shown: somebody says whether the person was there. */
function Unconfirmed({ onDecided }: { onDecided: () => void }) {
  const pages = usePages();
  const query = { state: "unconfirmed" as const, limit: PAGE, ...(pages.cursor ? { cursor: pages.cursor } : {}) };
  const waiting = useLoad((signal) => cv.listAttendance({ query, signal }), [pages.cursor]);
  const task = useTask();
  const decided = () => (waiting.again(), onDecided());
  const confirm = (entry: Entry) => task.run(async () => (await cv.confirmAttendance({ path: { entry_id: entry.id } }), decided()));
  const dismiss = (entry: Entry) => task.run(async () => (await cv.dismissAttendance({ path: { entry_id: entry.id } }), decided()));
  if (!waiting.data || waiting.data.items.length === 0) return <Failure error={waiting.error} again={waiting.again} />;
  return (
    <section>
      <h2>{t("unconfirmed")}</h2>
      <p>{t("unconfirmed_help")}</p>
      <Failure error={task.error} />
      <Table entries={waiting.data.items} label={t("unconfirmed")} actions={(entry) => (
        <>
          <button type="button" class="primary" disabled={task.isBusy} onClick={() => confirm(entry)}>{t("was_there")}</button>{" "}
          <button type="button" disabled={task.isBusy} onClick={() => dismiss(entry)}>{t("was_not_there")}</button>
        </>
      )} />
      {pages.turns(waiting.data.next_cursor)}
    </section>
  );
}

function Table({ entries, label, actions }: { entries: readonly Entry[]; label: string; actions?: (entry: Entry) => preact.ComponentChildren }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={label}>
      <table>
        <thead><tr><th scope="col">{t("when")}</th><th scope="col">{t("name")}</th><th scope="col">{t("what")}</th><th scope="col">{t("camera")}</th><th scope="col">{t("known_by")}</th></tr></thead>
        <tbody>
          {entries.map((entry) => (
            <tr key={entry.id}>
              <td><When at={entry.happened_at} /></td>
              <td>{entry.employee_name ?? entry.employee_id}</td>
              <td>{t(entry.action)}</td>
              <td>{entry.camera_id}</td>
              <td>
                {t(`by_${entry.method}`)} {entry.offline && <span class="tag">{t("offline")}</span>}
                {entry.state !== "counted" && <span class="tag">{t(entry.state)} {entry.decided_by}</span>}
                {actions?.(entry)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
