/** Staff who are recognised: list, search, enrol, erase. */
import type { Schemas } from "cv-service-client";
import { useState } from "preact/hooks";

import { cv, download, useLoad, useTask } from "../api.ts";
import { Dialog, Empty, Failure, Field, Shown, Sure, usePages, When } from "../parts.tsx";
import { may, shownAt } from "../state.ts";
import { t } from "../text.ts";
import { Attendance } from "./attendance.tsx";
import { Enrolment } from "./enrolment.tsx";
import { Passes } from "./passes.tsx";

type Person = Schemas["PersonInfo"];
const PAGE = 50;

export function People() {
  const [isDay, setDay] = useState(false);
  return (
    <>
      <h1>{t("people")}</h1>
      <div class="tabs">
        <button type="button" aria-pressed={!isDay} onClick={() => setDay(false)}>{t("enrolled_people")}</button>
        <button type="button" aria-pressed={isDay} onClick={() => setDay(true)}>{t("attendance")}</button>
      </div>
      {isDay ? <Attendance /> : <Enrolled />}
    </>
  );
}

function Enrolled() {
  const [typed, setTyped] = useState("");
  const [name, setName] = useState("");
  const [isEnrolling, setEnrolling] = useState(false);
  const [chosen, setChosen] = useState<Person | null>(null);
  const [told, setTold] = useState("");
  const pages = usePages();
  const query = { limit: PAGE, ...(name ? { name } : {}), ...(pages.cursor ? { cursor: pages.cursor } : {}) };
  const people = useLoad((signal) => cv.listPeople({ query, signal }), [name, pages.cursor]);
  const search = (event: Event) => {
    event.preventDefault();
    pages.first();
    setName(typed.trim());
  };
  const done = (text: string) => {
    setTold(text);
    setChosen(null);
    people.again();
  };
  return (
    <>
      <p role="status" class={told ? "notice good" : ""}>{told}</p>
      <div class="bar">
        <form role="search" class="inline" onSubmit={search}>
          <Field label={t("name")} value={typed} onValue={setTyped} type="search" maxLength={200} />
          <button>{t("search")}</button>
        </form>
        <button type="button" class="primary" onClick={() => setEnrolling(true)}>{t("enrol_person")}</button>
      </div>
      <Shown of={people}>
        {(page) => page.items.length === 0 ? <Empty><p>{t(name ? "people_not_found" : "people_empty")}</p></Empty> : (
          <>
            <div class="scroll" tabIndex={0} role="region" aria-label={t("people")}>
              <table>
                <thead><tr><th scope="col">{t("name")}</th><th scope="col">{t("employee_id")}</th><th scope="col">{t("department")}</th><th scope="col">{t("templates")}</th><th scope="col">{t("enrolled_at")}</th></tr></thead>
                <tbody>{page.items.map((person) => <Row key={person.employee_id} person={person} onOpen={() => setChosen(person)} />)}</tbody>
              </table>
            </div>
            {pages.turns(page.next_cursor)}
          </>
        )}
      </Shown>
      {isEnrolling && <Enrolment onClose={() => setEnrolling(false)} onEnrolled={people.again} />}
      {chosen && <Detail person={chosen} onClose={() => setChosen(null)} onErased={done} onChanged={people.again} />}
    </>
  );
}

function Row({ person, onOpen }: { person: Person; onOpen: () => void }) {
  return (
    <tr>
      <td><button type="button" class="plain" onClick={onOpen}>{person.name ?? person.employee_id}</button></td>
      <td>{person.employee_id}</td>
      <td>{person.department}</td>
      <td>{person.templates}</td>
      <td><When at={person.enrolled_at} /></td>
    </tr>
  );
}

function Detail(props: { person: Person; onClose: () => void; onErased: (told: string) => void; onChanged: () => void }) {
  const { person } = props;
  const [isAdding, setAdding] = useState(false);
  const task = useTask();
  const name = person.name ?? person.employee_id;
  const erase = () =>
    task.run(async () => {
      const { embeddings_deleted: count } = await cv.deletePerson({ path: { employee_id: person.employee_id } });
      props.onErased(t("erased", { name, count, time: shownAt(Date.now(), { timeStyle: "medium" }) }));
    });
  const save = () =>
    task.run(async () => {
      const stored = await cv.exportPerson({ query: { employee_id: person.employee_id } });
      download(new Blob([JSON.stringify(stored, null, 2)], { type: "application/json" }), `${person.employee_id}.json`);
    });
  if (isAdding) return <Enrolment of={person} onClose={props.onClose} onEnrolled={props.onChanged} />;
  return (
    <Dialog title={name} onClose={props.onClose}>
      <dl>
        <dt>{t("employee_id")}</dt><dd>{person.employee_id}</dd>
        <dt>{t("department")}</dt><dd>{person.department ?? t("none")}</dd>
        <dt>{t("position")}</dt><dd>{person.position ?? t("none")}</dd>
        <dt>{t("templates")}</dt><dd>{person.templates}</dd>
        <dt>{t("enrolled_at")}</dt><dd><When at={person.enrolled_at} /></dd>
      </dl>
      <Passes employeeId={person.employee_id} />
      <Failure error={task.error} />
      <p class="bar">
        <button type="button" onClick={() => setAdding(true)}>{t("add_photos")}</button>
        {may("privacy") && <button type="button" disabled={task.isBusy} onClick={save}>{t("export_stored")}</button>}
        <Sure label={t("erase")} question={t("erase_question", { name })} isBusy={task.isBusy} onSure={erase} />
      </p>
    </Dialog>
  );
}
