/** How a kiosk is opened while the service does not answer: its page is kept on the device, and that it is a kiosk. */
import { effect } from "@preact/signals";

import { forget, remember, remembered, session, type Session } from "./state.ts";

const WORKER = "/console/worker.js";
const KIOSK = "kiosk-session";

type Policies = { createPolicy(name: string, rules: { createScriptURL: () => string }): { createScriptURL(url: string): string } };
const policies = (globalThis as unknown as { trustedTypes?: Policies }).trustedTypes; // not every browser has them
const worker = policies?.createPolicy("worker", { createScriptURL: () => WORKER }).createScriptURL(WORKER) ?? WORKER;

/** From now on this device opens as a kiosk of that name without the service too, until somebody signs out. */
export function lastAsKiosk(place: string): void {
  const { kind, time_zone, idle_min } = session.value!;
  const known: Session = { name: place, kind, time_zone, idle_min, has_password: false, roles: [], scopes: ["face:recognize"] };
  remember(KIOSK, JSON.stringify(known));
  void navigator.serviceWorker?.register(worker, { scope: "/console" }).catch(() => undefined); // without it all else works
}

/** What this device opens as where nobody can be asked. */
export function rememberedKiosk(): Session | null {
  return JSON.parse(remembered(KIOSK) ?? "null") as Session | null;
}

effect(() => {
  if (session.value === null) forget(KIOSK);
});
