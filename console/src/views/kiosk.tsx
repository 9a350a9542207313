/** Check-in: a large picture, one button, and the name and time of whoever was recognised; PIN and card beside it. */
import { Problem, type Schemas } from "cv-service-client";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";

import { ANSWER_MS, cv, isOutOfReach, useTask } from "../api.ts";
import { Camera, type TakePhoto } from "../camera.tsx";
import { countKept, deliver, keep, NoRoom, type Kept } from "../kept.ts";
import { NotAlive, proveAlive, type Ask } from "../liveness.ts";
import { lastAsKiosk } from "../offline.ts";
import { Dialog, Failure, Field, Form } from "../parts.tsx";
import { remember, remembered, shownAt } from "../state.ts";
import { t, type Key } from "../text.ts";

type Answer = Schemas["FaceRecognitionResponse"];
/** What the kiosk says of whoever stands before it. */
type Told = { name: string; at: string } | { answer: Answer; width: number } | { hint: Key; at?: string };

const SHOWN_MS = 6000;
const NEAR_SHARE = 0.12; // of the picture's width; a narrower face is read badly
const DELIVER_MS = 15_000;
const CARD_MS = 20_000;
const CARD_EVERY_MS = 500;
const REFUSALS: Record<NonNullable<Answer["error"]>, Key> = {
  no_face_detected: "no_face",
  face_not_found: "face_unknown",
  liveness_check_failed: "not_live",
  liveness_required: "liveness_required",
};

export function Kiosk() {
  const [place, setPlace] = useState(remembered("kiosk") ?? "kiosk");
  const [take, setTake] = useState<TakePhoto | null>(null);
  const [told, setTold] = useState<Told | null>(null);
  const [ask, setAsk] = useState<Ask | null>(null);
  const [isTyping, setTyping] = useState(false);
  const whole = useRef<HTMLDivElement>(null);
  const task = useTask();
  const kept = useKept();
  const recognize = async (session?: string) => {
    const image = await take!();
    const at = Date.now();
    const { width } = await createImageBitmap(image);
    const body = { image, camera_id: place, timestamp: new Date(at).toISOString(), ...(session ? { liveness_session_id: session } : {}) };
    try {
      return { answer: await cv.recognizeFace({ body: body as never, signal: AbortSignal.timeout(ANSWER_MS) }), width }; // a file, not base64
    } catch (error) {
      if (!isOutOfReach(error)) throw error;
      await kept.keep({ photo: image, at, place, idempotencyKey: crypto.randomUUID() });
      return null;
    }
  };
  const checkIn = () =>
    task.run(async () => {
      setTold(null);
      const first = await recognize();
      let found = first;
      if (first?.answer.error === "liveness_required") {
        try {
          found = await recognize(await proveAlive(take!, setAsk));
        } catch (error) {
          if (!(error instanceof NotAlive)) throw error;
          found = { ...first, answer: { ...first.answer, error: "liveness_check_failed" } };
        } finally {
          setAsk(null);
        }
      }
      setTold(found ? toldOf(found) : { hint: "kept", at: new Date().toISOString() });
    });
  const welcome = ({ employee_id: id, employee_name: name, timestamp: at }: Schemas["PassCheckInResponse"]) => setTold({ name: name ?? id, at });
  const byCard = () =>
    task.run(async () => {
      setTold({ hint: "hold_card" });
      const found = await scanned(take!, place);
      if (found) welcome(found);
      else setTold({ hint: "no_card" });
    });

  useEffect(() => lastAsKiosk(place), [place]);
  useEffect(() => {
    if (!told || task.isBusy) return;
    const timer = setTimeout(() => setTold(null), SHOWN_MS); // who comes next does not see who was there
    return () => clearTimeout(timer);
  }, [told, task.isBusy]);

  return (
    <div class="kiosk" ref={whole}>
      <h1>{t("kiosk")}</h1>
      <Camera onReady={(ready) => setTake(() => ready)} />
      <div class="told" role="status" aria-live="assertive">{ask ? <p>{t(`ask_${ask}`)}</p> : told ? <Said {...told} /> : <p>{t("kiosk_help")}</p>}</div>
      <Failure error={task.error instanceof NoRoom ? undefined : task.error} />
      {task.error instanceof NoRoom && <p class="notice bad" role="alert">{t("kept_full")}</p>}
      <button type="button" class="primary big" disabled={!take || task.isBusy} onClick={checkIn}>{t(task.isBusy ? "working" : "check_in")}</button>
      <p class="bar">
        <button type="button" disabled={task.isBusy} onClick={() => (task.forget(), setTyping(true))}>{t("by_pin")}</button>
        <button type="button" disabled={!take || task.isBusy} onClick={byCard}>{t("by_card")}</button>
      </p>
      <p class="small" role="status">{kept.count > 0 ? t("kept_waiting", { count: kept.count }) : kept.sent > 0 ? t("kept_sent", { count: kept.sent, unknown: kept.unknown }) : ""}</p>
      <details>
        <summary>{place}</summary>
        <Field label={t("camera_name")} hint={t("camera_name_hint")} value={place} maxLength={50} pattern="[A-Za-z0-9][A-Za-z0-9_.\-]*" onValue={(value) => (setPlace(value), remember("kiosk", value))} />
        <button type="button" onClick={() => void whole.current?.requestFullscreen().catch(() => undefined)}>{t("full_screen")}</button>
      </details>
      {isTyping && <PinDialog place={place} onClose={() => setTyping(false)} onDone={(found) => (setTyping(false), welcome(found))} />}
    </div>
  );
}

function PinDialog(props: { place: string; onClose: () => void; onDone: (found: Schemas["PassCheckInResponse"]) => void }) {
  const [id, setId] = useState("");
  const [pin, setPin] = useState("");
  const task = useTask();
  const send = async () => {
    const typed = pin;
    setPin(""); // nobody who comes next finds it here
    props.onDone(await cv.checkInByPass({ body: { employee_id: id.trim(), pin: typed, camera_id: props.place, timestamp: new Date().toISOString() } }));
  };
  return (
    <Dialog title={t("by_pin")} onClose={props.onClose}>
      <Form task={task} send={send} label={t("check_in")}>
        <Field label={t("employee_id")} value={id} onValue={setId} required maxLength={20} pattern="[A-Za-z0-9][A-Za-z0-9_.\-]*" autocomplete="off" />
        <Field label="PIN" type="password" value={pin} onValue={setPin} required minLength={6} maxLength={12} pattern="[0-9]+" inputMode="numeric" autocomplete="off" />
      </Form>
    </Dialog>
  );
}

/** Look for a card until one is seen; null where none was. */
async function scanned(take: TakePhoto, place: string): Promise<Schemas["PassCheckInResponse"] | null> {
  const until = Date.now() + CARD_MS;
  while (Date.now() < until) {
    try {
      return await cv.checkInByPass({ body: { image: await take(), camera_id: place } as never }); // a file, not base64
    } catch (error) {
      if (!(error instanceof Problem && error.code === "no_card")) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, CARD_EVERY_MS));
  }
  return null;
}

/** What waits for the connection; it is sent as soon as there is one. */
function useKept() {
  const [count, setCount] = useState(0);
  const [{ sent, unknown }, setSent] = useState({ sent: 0, unknown: 0 });
  const look = useCallback(() => countKept().then(setCount, () => undefined), []);
  const send = async (one: Kept) => {
    const body = { image: one.photo, camera_id: one.place, timestamp: new Date(one.at).toISOString(), offline: true };
    const isKnown = await cv.recognizeFace({ body: body as never, idempotencyKey: one.idempotencyKey, signal: AbortSignal.timeout(ANSWER_MS) }).then(
      ({ success }) => success,
      (error) => {
        if (isLasting(error)) return false;
        throw error;
      },
    );
    setSent((last) => ({ sent: last.sent + 1, unknown: last.unknown + Number(!isKnown) }));
  };
  const empty = useCallback(async () => {
    await look();
    await deliver(send).catch(() => undefined); // what is left is sent the next time
    await look();
  }, []);
  useEffect(() => {
    if (!navigator.locks) return; // no camera here either: the page came without TLS
    void empty();
    const timer = setInterval(empty, DELIVER_MS);
    addEventListener("online", empty);
    return () => {
      clearInterval(timer);
      removeEventListener("online", empty);
    };
  }, []);
  const keepOne = async (one: Kept) => (await keep(one), await look());
  return { count, sent, unknown, keep: keepOne };
}

/** Whether the service will say the same of it the next time. */
function isLasting(error: unknown): boolean {
  return error instanceof Problem && error.status >= 400 && error.status < 500 && ![401, 403, 408, 409, 429].includes(error.status);
}

function toldOf({ answer, width }: { answer: Answer; width: number }): Told {
  const at = answer.timestamp ?? new Date().toISOString();
  return answer.success ? { name: answer.employee_name ?? answer.employee_id ?? "", at } : { answer, width };
}

function Said(told: Told) {
  if ("name" in told) return <p class="good">{t("welcome", { name: told.name })}<br /><time>{shownAt(told.at, { timeStyle: "short" })}</time></p>;
  if ("hint" in told) return <p>{t(told.hint)}{told.at && <><br /><time>{shownAt(told.at, { timeStyle: "short" })}</time></>}</p>;
  const { answer, width } = told;
  const box = answer.face_location;
  const hint: Key | null = answer.covered ? "face_covered" : box && box.width < NEAR_SHARE * width ? "come_closer" : null;
  return (
    <div class="bad">
      <p>{answer.error ? t(REFUSALS[answer.error]) : answer.message}</p>
      {hint && <p>{t(hint)}</p>}
    </div>
  );
}
