/** What stands around every view: the menu, who is signed in, language and colours. */
import { useEffect, useState } from "preact/hooks";

import { cv, useTask } from "./api.ts";
import { Choice, Dialog, Empty, Field, Form, Waiting } from "./parts.tsx";
import { language, route, session, theme, type Language, type Session, type Theme } from "./state.ts";
import { t } from "./text.ts";
import { isView, openViews } from "./views.ts";
import { SignIn } from "./views/sign-in.tsx";

const BEAT_MS = 60_000;

export function Shell() {
  const known = session.value;
  const views = known ? openViews() : [];
  const view = views.find(({ name }) => name === route.value[0]) ?? (isView(route.value[0] ?? "") ? undefined : views[0]);
  useEffect(() => {
    document.title = `${known && view ? t(view.name) : t("sign_in")} · CV Service`;
  }, [known, view, language.value]);
  return (
    <>
      <a class="skip" href="#content" onClick={(event) => (event.preventDefault(), document.getElementById("content")?.focus())}>{t("skip")}</a>
      <header class="top">
        <strong>CV Service</strong>
        {known && views.length > 0 && (
          <nav aria-label={t("menu")}>
            {views.map(({ name }) => <a key={name} href={`#/${name}`} aria-current={name === view?.name ? "page" : undefined}>{t(name)}</a>)}
          </nav>
        )}
        <Preferences known={known ?? null} />
      </header>
      {known === undefined ? <main id="content"><Waiting /></main> : known === null ? <SignIn /> : (
        <main id="content" tabIndex={-1}>
          {view ? <view.show key={view.name} /> : <Empty><p>{t(views.length > 0 ? "not_yours" : "no_views")}</p></Empty>}
        </main>
      )}
      {known && known.kind !== "open" && <Watch known={known} isKiosk={view?.isLasting === true && views.length === 1} />}
    </>
  );
}

function Preferences({ known }: { known: Session | null }) {
  const [isChanging, setChanging] = useState(false);
  const languages: [Language, string][] = [["vi", "Tiếng Việt"], ["en", "English"]];
  const themes: [Theme, string][] = [["auto", t("auto")], ["light", t("light")], ["dark", t("dark")]];
  return (
    <div class="preferences">
      <Choice label={t("language")} value={language.value} options={languages} onValue={(value) => (language.value = value)} />
      <Choice label={t("colours")} value={theme.value} options={themes} onValue={(value) => (theme.value = value)} />
      {known && <span class="who">{t("signed_in_as", { name: known.name })}</span>}
      {known?.has_password && <button type="button" class="plain" onClick={() => setChanging(true)}>{t("change_password")}</button>}
      {known && known.kind !== "open" && <button type="button" onClick={() => void signOut()}>{t("sign_out")}</button>}
      {isChanging && <ChangePassword onClose={() => setChanging(false)} />}
    </div>
  );
}

function ChangePassword({ onClose }: { onClose: () => void }) {
  const [old, setOld] = useState("");
  const [fresh, setFresh] = useState("");
  const task = useTask();
  const send = () => cv.changeOwnPassword({ body: { password: old, new_password: fresh } });
  return (
    <Dialog title={t("change_password")} onClose={onClose}>
      <Form task={task} send={send} label={t("change_password")} onDone={onClose}>
        <Field label={t("password")} type="password" autocomplete="current-password" value={old} onValue={setOld} required />
        <Field label={t("new_password")} type="password" autocomplete="new-password" value={fresh} onValue={setFresh} hint={t("password_rule")} minLength={10} required />
      </Form>
    </Dialog>
  );
}

/** Signs out whoever has left the screen; keeps what may check people in and nothing else signed in, where nobody types. */
function Watch({ known, isKiosk }: { known: Session; isKiosk: boolean }) {
  useEffect(() => {
    let touchedAt = Date.now();
    const touch = () => (touchedAt = Date.now());
    const timer = setInterval(() => {
      if (isKiosk) void cv.getSession().catch(() => undefined);
      else if (Date.now() - touchedAt > known.idle_min * 60_000) void signOut();
    }, BEAT_MS);
    for (const kind of ["pointerdown", "keydown"] as const) addEventListener(kind, touch);
    return () => {
      clearInterval(timer);
      for (const kind of ["pointerdown", "keydown"] as const) removeEventListener(kind, touch);
    };
  }, [known, isKiosk]);
  return null;
}

async function signOut(): Promise<void> {
  await cv.endSession().catch(() => undefined); // one that has ended already is as good
  session.value = null;
}
