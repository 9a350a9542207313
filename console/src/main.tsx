/** Where the page begins. */
import "@preact/signals";
import { render } from "preact";

import { cv } from "./api.ts";
import { Shell } from "./shell.tsx";
import { session } from "./state.ts";

render(<Shell />, document.getElementById("page")!);
cv.getSession().then(
  (known) => (session.value = known),
  () => (session.value = null),
);
