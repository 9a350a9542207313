/** Where the page begins. */
import "@preact/signals";
import { render } from "preact";

import { cv } from "./api.ts";
import { Shell } from "./shell.tsx";
import { Refused } from "./parts.tsx";
import { session, signInError, type Session } from "./state.ts";

render(<Shell />, document.getElementById("page")!);
arrived().then(
  (known) => (session.value = known),
  () => (session.value = null),
);

/** Who is signed in; whoever comes back from the identity provider is by now. What came with them leaves the address. */
async function arrived(): Promise<Session> {
  const sent = new URLSearchParams(location.search);
  const [state, code] = [sent.get("state"), sent.get("code")];
  if (state === null) return cv.getSession();
  history.replaceState(null, "", location.pathname + location.hash);
  try {
    if (code === null) throw new Refused();
    return await cv.beginSession({ body: { code, state } });
  } catch (error) {
    signInError.value = error;
    throw error;
  }
}
