/** What somebody may check in by beside their face: a PIN, and a card with a QR code. */
import { useState } from "preact/hooks";

import { cv, useLoad, useTask } from "../api.ts";
import { Failure, Field, Form, Picture, Shown, When } from "../parts.tsx";
import { t } from "../text.ts";

export function Passes({ employeeId }: { employeeId: string }) {
  const path = { employee_id: employeeId };
  const passes = useLoad((signal) => cv.getPasses({ path, signal }), [employeeId]);
  const [pin, setPin] = useState("");
  const [card, setCard] = useState<Blob | null>(null);
  const setting = useTask();
  const task = useTask();
  const act = (work: () => Promise<unknown>) => () => task.run(async () => (await work(), passes.again()));
  const issue = act(async () => setCard(new Blob([(await cv.issueCard({ path })).label], { type: "image/svg+xml" })));
  return (
    <details>
      <summary>{t("passes")}</summary>
      <p class="small">{t("passes_help")}</p>
      <Shown of={passes}>
        {(found) => (
          <>
            <dl>
              <dt>PIN</dt>
              <dd>
                {found.pin_set_at ? <When at={found.pin_set_at} /> : t("none")}
                {found.pin_locked_until && <span class="bad"> {t("pin_locked")} <When at={found.pin_locked_until} /></span>}
                {found.pin_set_at && <> <button type="button" disabled={task.isBusy} onClick={act(() => cv.endPin({ path }))}>{t("take_pin")}</button></>}
              </dd>
              <dt>{t("card")}</dt>
              <dd>
                {found.card_issued_at ? <When at={found.card_issued_at} /> : t("none")}{" "}
                <button type="button" disabled={task.isBusy} onClick={issue}>{t("new_card")}</button>{" "}
                {found.card_issued_at && <button type="button" disabled={task.isBusy} onClick={act(async () => (await cv.endCard({ path }), setCard(null)))}>{t("take_card")}</button>}
              </dd>
            </dl>
            <Failure error={task.error} />
            {card && <div class="label"><p class="small">{t("card_once")}</p><Picture file={card} alt={t("card")} /></div>}
            <Form task={setting} label={t("set_pin")} send={() => cv.setPin({ path, body: { pin } })} onDone={() => (setPin(""), passes.again())}>
              <Field label={t("new_pin")} type="password" value={pin} onValue={setPin} hint={t("pin_rule")} required minLength={6} maxLength={12} pattern="[0-9]+" inputMode="numeric" autocomplete="off" />
            </Form>
          </>
        )}
      </Shown>
    </details>
  );
}
