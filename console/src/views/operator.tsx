/** What an operator looks at: health, people who sign in, keys, jobs, models, settings. */
import type { Schemas } from "cv-service-client";
import { Fragment, type ComponentChildren } from "preact";
import { useState } from "preact/hooks";

import { cv, useLoad, useTask } from "../api.ts";
import { Choice, Dialog, Empty, Failure, Field, Form, Shown, Sure, usePages, When } from "../parts.tsx";
import { named, t, type Key } from "../text.ts";

type User = Schemas["UserInfo"];
type Role = User["roles"][number];
const ROLES: readonly Role[] = ["front_desk", "kiosk", "personnel", "housekeeping", "security", "accounting", "admin"];

const QUEUES: readonly [Key, string][] = [
  ["queue_waiting", "cv_inference_queue_depth"],
  ["queue_running", "cv_inference_running"],
  ["queue_events", "cv_outbox_backlog"],
  ["queue_oldest", "cv_outbox_oldest_age_seconds"],
  ["queue_webhooks", "cv_webhook_dead_letters"],
  ["queue_cleanup", "cv_cleanup_backlog"],
];

export function Operator() {
  return (
    <>
      <h1>{t("operator")}</h1>
      <Health />
      <Users />
      <Keys />
      <Jobs />
      <Models />
      <Settings />
    </>
  );
}

function Health() {
  const health = useLoad((signal) => cv.getHealth({ signal }), []);
  const metrics = useLoad((signal) => cv.getMetrics({ signal }), []);
  return (
    <section aria-label={t("health")}>
      <div class="bar"><h2>{t("health")}</h2><button type="button" onClick={() => (health.again(), metrics.again())}>{t("look_again")}</button></div>
      <Shown of={health}>
        {({ status, version, warnings, checks }) => (
          <>
            <p class={`notice ${status === "healthy" ? "good" : "bad"}`}>{t(status)} · {version}</p>
            {warnings.map((warning) => <p key={warning} class="notice">{named(warning)}</p>)}
            <ul class="cards">
              {Object.entries(checks).map(([name, check]) => check && "latency_ms" in check && (
                <li key={name}><strong>{named(name)}</strong><p class={check.status === "ok" ? "good" : "bad"}>{check.status === "ok" ? t("answers", { ms: Math.round(check.latency_ms) }) : check.reason ?? t("no_reply")}</p></li>
              ))}
            </ul>
          </>
        )}
      </Shown>
      <h3>{t("queues")}</h3>
      <p class="small">{t("queues_help")}</p>
      <Shown of={metrics}>
        {(text) => <dl>{QUEUES.map(([key, name]) => <Fragment key={key}><dt>{t(key)}</dt><dd>{valueOf(text, name)}</dd></Fragment>)}</dl>}
      </Shown>
    </section>
  );
}

/** Of a metric without labels, in Prometheus' text format. */
function valueOf(text: string, name: string): string {
  const found = new RegExp(`^${name} (\\S+)$`, "m").exec(text);
  return found ? String(Math.round(Number(found[1]))) : t("unknown");
}

function Users() {
  const [isNew, setNew] = useState(false);
  const [chosen, setChosen] = useState<User | null>(null);
  const users = useLoad((signal) => cv.listUsers({ signal }), []);
  const done = () => (setNew(false), setChosen(null), users.again());
  return (
    <section aria-label={t("users")}>
      <div class="bar"><h2>{t("users")}</h2><button type="button" class="primary" onClick={() => setNew(true)}>{t("add_user")}</button></div>
      <Shown of={users}>
        {({ items }) => items.length === 0 ? <Empty><p>{t("users_empty")}</p></Empty> : (
          <div class="scroll" tabIndex={0}>
            <table>
              <thead><tr><th scope="col">{t("user_name")}</th><th scope="col">{t("roles")}</th><th scope="col">{t("last_here")}</th></tr></thead>
              <tbody>
                {items.map((user) => (
                  <tr key={user.key_id}>
                    <td><button type="button" class="plain" onClick={() => setChosen(user)}>{user.name}</button></td>
                    <td>{user.roles.map((role) => t(`role_${role}`)).join(", ")}</td>
                    <td>{user.signed_in_at ? <When at={user.signed_in_at} /> : t("never")}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Shown>
      {isNew && <UserForm onClose={() => setNew(false)} onDone={done} />}
      {chosen && <UserForm user={chosen} onClose={() => setChosen(null)} onDone={done} />}
    </section>
  );
}

function UserForm({ user, onClose, onDone }: { user?: User; onClose: () => void; onDone: () => void }) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [roles, setRoles] = useState<Role[]>(user?.roles ?? []);
  const task = useTask();
  const ending = useTask();
  const send = () =>
    user
      ? cv.changeUser({ path: { name: user.name }, body: { roles, ...(password ? { password } : {}) } })
      : cv.addUser({ body: { name, password, roles } });
  const isOurs = user?.has_password ?? true; // else the identity provider says what they work as
  const end = () => ending.run(async () => (await cv.endUser({ path: { name: user!.name } }), onDone()));
  return (
    <Dialog title={user?.name ?? t("add_user")} onClose={onClose}>
      {!isOurs && <p>{t("by_provider")} {roles.map((role) => t(`role_${role}`)).join(", ")}</p>}
      {isOurs && <Form task={task} send={send} label={t("save")} onDone={onDone} isReady={roles.length > 0}>
        {!user && <Field label={t("user_name")} value={name} onValue={setName} required maxLength={20} pattern="[a-z0-9][a-z0-9._\-]+" hint={t("user_name_rule")} autocomplete="off" />}
        <Field label={t("new_password")} type="password" value={password} onValue={setPassword} required={!user} minLength={10} hint={t("password_rule")} autocomplete="new-password" />
        <fieldset>
          <legend>{t("roles")}</legend>
          {ROLES.map((role) => (
            <label class="check" key={role}>
              <input type="checkbox" checked={roles.includes(role)} onChange={({ currentTarget }) => setRoles(currentTarget.checked ? [...roles, role] : roles.filter((one) => one !== role))} /> {t(`role_${role}`)}
            </label>
          ))}
        </fieldset>
      </Form>}
      <Failure error={ending.error} />
      {user && <Sure label={t("end_user")} question={t("end_user_question", { name: user.name })} isBusy={ending.isBusy} onSure={end} />}
    </Dialog>
  );
}

function Keys() {
  const keys = useLoad((signal) => cv.listKeys({ signal }), []);
  return (
    <section aria-label={t("keys")}>
      <h2>{t("keys")}</h2>
      <p class="small">{t("keys_help")}</p>
      <Shown of={keys}>
        {({ items }) => (
          <Rows names={["key_number", "name", "scopes", "last_used", "state"]}>
            {items.map((key) => (
              <tr key={key.id}>
                <td>{key.id}</td>
                <td>{key.label}</td>
                <td>{key.scopes.join(", ")}</td>
                <td>{key.last_used_at ? <When at={key.last_used_at} /> : t("never")}</td>
                <td>{key.revoked_at ? <>{t("revoked")} <When at={key.revoked_at} /></> : t("in_use")}</td>
              </tr>
            ))}
          </Rows>
        )}
      </Shown>
    </section>
  );
}

/** What this replica runs with. What is not as by default comes first. */
function Settings() {
  const settings = useLoad((signal) => cv.listSettings({ signal }), []);
  const [part, setPart] = useState("");
  const wanted = part.trim().toUpperCase();
  return (
    <section aria-label={t("settings")}>
      <div class="bar"><h2>{t("settings")}</h2><Field label={t("search_settings")} value={part} onValue={setPart} maxLength={50} /></div>
      <p class="small">{t("settings_help")}</p>
      <Shown of={settings}>
        {({ items }) => (
          <Rows names={["name", "value", "state"]}>
            {items
              .filter(({ name }) => name.includes(wanted))
              .sort((one, other) => Number(one.is_default) - Number(other.is_default))
              .map((setting) => (
                <tr key={setting.name}>
                  <td><code>{setting.name}</code>{setting.description && <p class="small" lang="en">{setting.description}</p>}</td>
                  <td>{setting.value ?? t("secret")}</td>
                  <td>{t(setting.is_default ? "as_default" : "set_here")}</td>
                </tr>
              ))}
          </Rows>
        )}
      </Shown>
    </section>
  );
}

function Rows({ names, children }: { names: Key[]; children: ComponentChildren }) {
  return (
    <div class="scroll" tabIndex={0}>
      <table>
        <thead><tr>{names.map((name) => <th key={name} scope="col">{t(name)}</th>)}</tr></thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

function Jobs() {
  const [state, setState] = useState<Schemas["JobState"] | "">("");
  const pages = usePages();
  const query = { limit: 20, ...(state ? { state } : {}), ...(pages.cursor ? { cursor: pages.cursor } : {}) };
  const jobs = useLoad((signal) => cv.listJobs({ query, signal }), [state, pages.cursor]);
  const options: [Schemas["JobState"] | "", string][] = [["", t("all")], ...(["queued", "running", "succeeded", "failed", "cancelled"] as const).map((one): [Schemas["JobState"], string] => [one, t(`job_${one}`)])];
  return (
    <section aria-label={t("jobs")}>
      <div class="bar"><h2>{t("jobs")}</h2><Choice label={t("state")} value={state} options={options} onValue={(value) => (pages.first(), setState(value))} /></div>
      <Shown of={jobs}>
        {(page) => page.items.length === 0 ? <Empty><p>{t("jobs_empty")}</p></Empty> : (
          <>
            <ul class="cards">
              {page.items.map((job) => (
                <li key={job.job_id}><strong>{named(job.kind)}</strong><p><span class="tag">{t(`job_${job.state}`)}</span> {job.done}{job.total ? ` / ${job.total}` : ""}</p>{job.error && <p class="bad">{job.error.message}</p>}<p class="small"><When at={job.created_at} /></p></li>
              ))}
            </ul>
            {pages.turns(page.next_cursor)}
          </>
        )}
      </Shown>
    </section>
  );
}

function Models() {
  const models = useLoad((signal) => cv.listModels({ signal }), []);
  return (
    <section aria-label={t("models")}>
      <h2>{t("models")}</h2>
      <Shown of={models}>
        {(found) => (
          <div class="scroll" tabIndex={0}>
            <table>
              <caption>{found.pack}</caption>
              <thead><tr><th scope="col">{t("model_role")}</th><th scope="col">{t("model")}</th><th scope="col">{t("licence")}</th><th scope="col">{t("runs_on")}</th></tr></thead>
              <tbody>{found.models.map((model) => <tr key={model.role}><td>{named(model.role)}</td><td>{model.id}</td><td>{model.licence}</td><td>{model.provider ?? t("not_loaded")}</td></tr>)}</tbody>
            </table>
          </div>
        )}
      </Shown>
    </section>
  );
}
