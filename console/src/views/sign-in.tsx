/** Who are you? By name and password, or by an API key. */
import { useState } from "preact/hooks";

import { cv, useTask } from "../api.ts";
import { Field, Form } from "../parts.tsx";
import { session } from "../state.ts";
import { t } from "../text.ts";

export function SignIn() {
  const [name, setName] = useState("");
  const [secret, setSecret] = useState("");
  const [byKey, setByKey] = useState(false);
  const task = useTask();
  const send = async () => {
    const body = byKey ? { api_key: secret } : { name: name.trim().toLowerCase(), password: secret };
    session.value = await cv.beginSession({ body });
  };
  const turn = () => (setByKey(!byKey), setSecret(""), task.forget());
  return (
    <main id="content" class="narrow">
      <h1>{t("sign_in")}</h1>
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
