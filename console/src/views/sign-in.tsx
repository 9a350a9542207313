/** Who are you? By name and password, by an API key, or by the hotel's identity provider. */
import { useState } from "preact/hooks";

import { cv, useLoad, useTask } from "../api.ts";
import { Failure, Field, Form } from "../parts.tsx";
import { session, signInError } from "../state.ts";
import { t } from "../text.ts";

export function SignIn() {
  const [name, setName] = useState("");
  const [secret, setSecret] = useState("");
  const [byKey, setByKey] = useState(false);
  const task = useTask();
  const leaving = useTask();
  const ways = useLoad((signal) => cv.listSignInWays({ signal }), []);
  const leave = () => leaving.run(async () => location.assign((await cv.beginProviderSignIn()).url));
  const send = async () => {
    const body = byKey ? { api_key: secret } : { name: name.trim().toLowerCase(), password: secret };
    session.value = await cv.beginSession({ body });
  };
  const turn = () => (setByKey(!byKey), setSecret(""), task.forget());
  return (
    <main id="content" class="narrow">
      <h1>{t("sign_in")}</h1>
      <Failure error={leaving.error ?? signInError.value} />
      {ways.data?.identity_provider && (
        <p><button type="button" class="primary" disabled={leaving.isBusy} onClick={() => void leave()}>{t("with_provider")}</button></p>
      )}
      <Form task={task} send={send} label={t("sign_in")}>
        {!byKey && <Field label={t("user_name")} value={name} onValue={setName} autocomplete="username" required maxLength={20} />}
        <Field
          key={String(byKey)}
          label={t(byKey ? "api_key" : "password")}
          value={secret}
          onValue={setSecret}
          type="password"
          autocomplete={byKey ? "off" : "current-password"}
          required
        />
      </Form>
      <p><button type="button" class="plain" onClick={turn}>{t(byKey ? "with_password" : "with_key")}</button></p>
      <p class="small">{t("sign_in_help")}</p>
    </main>
  );
}
