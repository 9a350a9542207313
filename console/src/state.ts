/** What the whole page knows: who is signed in, language, colours, and which view is open. */
import { computed, effect, signal } from "@preact/signals";
import type { Schemas } from "cv-service-client";

export type Session = Schemas["SessionInfo"];
export type ScopeName = Session["scopes"][number];
export type Language = "vi" | "en";
export type Theme = "auto" | "light" | "dark";

/** undefined: not asked yet; null: nobody. */
export const session = signal<Session | null | undefined>(undefined);
export const language = signal<Language>(kept("language", ["vi", "en"], navigator.language.startsWith("vi") ? "vi" : "en"));
export const theme = signal<Theme>(kept("theme", ["auto", "light", "dark"], "auto"));

/** Why somebody who came back from the identity provider is not signed in. */
export const signInError = signal<unknown>(null);

const address = signal(location.hash);
addEventListener("hashchange", () => (address.value = location.hash));

/** The parts of the address behind `#/`, such as `["people", "EMP001"]`. */
export const route = computed(() => address.value.replace(/^#\/?/, "").split("/").map(decoded));

export function open(...parts: string[]): void {
  location.hash = "#/" + parts.map(encodeURIComponent).join("/");
}

/** Whether one of these scopes is open to whoever is signed in. */
export function may(...scopes: ScopeName[]): boolean {
  return scopes.some((scope) => session.value?.scopes.includes(scope));
}

/** A moment by the hotel's clock, in the language of now. */
export function shownAt(at: string | number, options: Intl.DateTimeFormatOptions): string {
  const timeZone = session.value?.time_zone;
  return new Intl.DateTimeFormat(language.value, { ...options, ...(timeZone ? { timeZone } : {}) }).format(new Date(at));
}

/** Today by the hotel's clock, as `2025-01-17`. */
export function hotelDay(): string {
  const timeZone = session.value?.time_zone;
  return new Intl.DateTimeFormat("en-CA", timeZone ? { timeZone } : {}).format(new Date());
}

/** What this browser remembers under a name; never anything about a person. */
export function remembered(name: string): string | null {
  try {
    return localStorage.getItem(`cv.${name}`);
  } catch {
    return null; // storage is switched off
  }
}

export function remember(name: string, value: string): void {
  try {
    localStorage.setItem(`cv.${name}`, value);
  } catch {
    // it is asked again the next time
  }
}

export function forget(name: string): void {
  try {
    localStorage.removeItem(`cv.${name}`);
  } catch {
    // nothing was remembered
  }
}

function kept<Value extends string>(name: string, values: readonly Value[], otherwise: Value): Value {
  const found = remembered(name) as Value;
  return values.includes(found) ? found : otherwise;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return ""; // somebody typed half an escape
  }
}

effect(() => {
  document.documentElement.lang = language.value;
  remember("language", language.value);
});
effect(() => {
  document.documentElement.dataset["theme"] = theme.value;
  remember("theme", theme.value);
});
