/** A liveness session: the person moves as the service asks, and frames go to it as they come. */
import type { Schemas } from "cv-service-client";

import { cv } from "./api.ts";
import type { TakePhoto } from "./camera.tsx";

type Answer = Schemas["LivenessSessionResponse"];
/** What the person is to do now. */
export type Ask = Exclude<Answer["guidance"], "do_challenge" | "done"> | Answer["challenges"][number]["kind"];

const EVERY_MS = 150;
const AT_ONCE = 6; // together they show depth
const MOST = 20;
const WIDTH = 640;

/** The session's movements were not done, or not by a living person. */
export class NotAlive extends Error {
  constructor(readonly reasons: Answer["reasons"]) {
    super("the liveness session failed");
  }
}

/**
 * Go through a session; `told` hears what to do next.
 *
 * @returns the id of the passed session, which counts once
 * @throws NotAlive when it failed or took too long
 */
export async function proveAlive(take: TakePhoto, told: (ask: Ask) => void): Promise<string> {
  const session = await cv.beginLivenessSession();
  const path = { session_id: session.session_id };
  const waiting: { frame: File; at: number }[] = [];
  const film = setInterval(async () => {
    const at = Math.round(performance.now());
    waiting.push({ frame: await take(WIDTH), at });
  }, EVERY_MS);
  told("look_straight");
  try {
    for (;;) {
      while (waiting.length < AT_ONCE) await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
      const sent = waiting.splice(0, MOST).sort((one, other) => one.at - other.at);
      const body = { nonce: session.nonce, frames: sent.map(({ frame }) => frame), timestamps_ms: sent.map(({ at }) => at) };
      const answer = await cv.addLivenessFrames({ path, body: body as never }); // files, not base64
      if (answer.status === "passed") return session.session_id;
      if (answer.status !== "open") throw new NotAlive(answer.reasons);
      told(answer.guidance === "do_challenge" ? answer.challenges[answer.challenges_done]!.kind : (answer.guidance as Ask));
    }
  } finally {
    clearInterval(film);
  }
}
