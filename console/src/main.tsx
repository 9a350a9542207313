/** Where the page begins. */
import "@preact/signals";
import { render } from "preact";

import { ANSWER_MS, cv, isOutOfReach } from "./api.ts";
import { rememberedKiosk } from "./offline.ts";
import { Refused } from "./parts.tsx";
import { Shell } from "./shell.tsx";
import { session, signInError, type Session } from "./state.ts";

const AGAIN_MS = 15_000;

render(<Shell />, document.getElementById("page")!);
void begin();

/** Show whoever is signed in their views; a kiosk its own while the service cannot say so. */
async function begin(): Promise<void> {
  const kiosk = rememberedKiosk();
  try {
    session.value = await arrived(kiosk ? AbortSignal.timeout(ANSWER_MS) : undefined);
  } catch (error) {
    session.value = isOutOfReach(error) ? kiosk : null;
    if (session.value) setTimeout(() => void begin(), AGAIN_MS);
  }
}

/** Who is signed in; whoever comes back from the identity provider is by now. What came with them leaves the address. */
async function arrived(signal?: AbortSignal): Promise<Session> {
  const sent = new URLSearchParams(location.search);
  const [state, code] = [sent.get("state"), sent.get("code")];
  if (state === null) return cv.getSession(signal ? { signal } : {});
  history.replaceState(null, "", location.pathname + location.hash);
  try {
    if (code === null) throw new Refused();
    return await cv.beginSession({ body: { code, state } });
  } catch (error) {
    signInError.value = error;
    throw error;
  }
}
