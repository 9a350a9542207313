/** The views, in the order of the menu, and who may open them. */
import type { ComponentType } from "preact";

import { may, type ScopeName } from "./state.ts";
import type { Key } from "./text.ts";
import { Housekeeping } from "./views/housekeeping.tsx";
import { Kiosk } from "./views/kiosk.tsx";
import { LostFound } from "./views/lost-found.tsx";
import { Operator } from "./views/operator.tsx";
import { Papers } from "./views/papers.tsx";
import { People } from "./views/people.tsx";
import { Security } from "./views/security.tsx";
import { Stays } from "./views/stays.tsx";

export interface View {
  /** In the address, and of the title among the texts. */
  name: Key;
  scopes: ScopeName[];
  /** It is open for days without anybody touching it. */
  isLasting?: boolean;
  show: ComponentType;
}

const VIEWS: readonly View[] = [
  { name: "kiosk", scopes: ["face:recognize"], isLasting: true, show: Kiosk },
  { name: "people", scopes: ["face:manage"], show: People },
  { name: "lost_found", scopes: ["claims", "image:read"], show: LostFound },
  { name: "housekeeping", scopes: ["room:read"], show: Housekeeping },
  { name: "security", scopes: ["anomaly"], show: Security },
  { name: "stays", scopes: ["stays"], show: Stays },
  { name: "papers", scopes: ["ocr:invoice"], show: Papers },
  { name: "operator", scopes: ["admin"], show: Operator },
];

/** Those that are open to whoever is signed in. */
export const openViews = (): View[] => VIEWS.filter(({ scopes }) => may(...scopes));

export const isView = (name: string): boolean => VIEWS.some((view) => view.name === name);
