/** Enrolling a person: photos from files or the camera, what the service says of each, and the consent. */
import { Problem, type Schemas } from "cv-service-client";
import { useState } from "preact/hooks";

import { cv, useTask } from "../api.ts";
import { Camera, type TakePhoto } from "../camera.tsx";
import { Dialog, Field, Form, PickPhotos, Picture } from "../parts.tsx";
import { hotelDay } from "../state.ts";
import { said, t } from "../text.ts";

type Answer = Schemas["FaceEnrollmentResponse"];
type Warning = Schemas["ImageWarning"];
const MAX_PHOTOS = 10;
/** The version of `consent_text`: changed together with it. */
const CONSENT_VERSION = "console-1";

export function Enrolment(props: { of?: Schemas["PersonInfo"]; onClose: () => void; onEnrolled: () => void }) {
  const [id, setId] = useState(props.of?.employee_id ?? "");
  const [name, setName] = useState(props.of?.name ?? "");
  const [department, setDepartment] = useState(props.of?.department ?? "");
  const [position, setPosition] = useState(props.of?.position ?? "");
  const [photos, setPhotos] = useState<File[]>([]);
  const [hasAgreed, setAgreed] = useState(false);
  const [agreedOn, setAgreedOn] = useState(hotelDay());
  const [answer, setAnswer] = useState<Answer | null>(null);
  const task = useTask();
  const refused = task.error instanceof Problem ? (task.error.document["rejected"] as Warning[] | undefined) : undefined;
  const add = (more: File[]) => (task.forget(), setPhotos((all) => [...all, ...more].slice(0, MAX_PHOTOS)));
  const remove = (at: number) => (task.forget(), setPhotos(photos.filter((_, index) => index !== at)));

  const send = async () => {
    const metadata = { name: name || null, department: department || null, position: position || null };
    setAnswer(await cv.enrollFace({
      body: {
        employee_id: id.trim(),
        images: photos,
        metadata,
        consent: { given_on: agreedOn, text_version: CONSENT_VERSION },
      } as never, // files in the place of base64: the client sends them as a form
    }));
    props.onEnrolled();
  };
  return (
    <Dialog title={t(props.of ? "add_photos" : "enrol_person")} onClose={props.onClose}>
      {answer && <p role="status" class="notice good">{t("enrolled", { name: name || id, count: answer.embeddings_created })}</p>}
      {answer && <ul class="lines">{answer.advice.map(({ reason, message }) => <li key={reason}>{said("advice", reason, message)}</li>)}</ul>}
      <Photos photos={photos} warnings={answer?.warnings ?? refused} {...(answer ? {} : { onRemove: remove })} />
      {answer ? <button type="button" class="primary" onClick={props.onClose}>{t("close")}</button> : (
        <Form task={task} send={send} label={t("enrol")}>
          <PickPhotos label={t("photos")} isMany onFiles={add} />
          <Webcam onPhoto={(photo) => add([photo])} />
          {photos.length === 0 && <input class="unseen" aria-label={t("photos_needed")} required tabIndex={-1} onInvalid={(event) => event.currentTarget.setCustomValidity(t("photos_needed"))} />}
          {!props.of && <Field label={t("employee_id")} value={id} onValue={setId} required maxLength={20} pattern="[A-Za-z0-9][A-Za-z0-9_.\-]*" />}
          <Field label={t("name")} value={name} onValue={setName} maxLength={200} />
          <Field label={t("department")} value={department} onValue={setDepartment} maxLength={200} />
          <Field label={t("position")} value={position} onValue={setPosition} maxLength={200} />
          <fieldset>
            <legend>{t("consent")}</legend>
            <p>{t("consent_text")}</p>
            <label class="check"><input type="checkbox" required checked={hasAgreed} onChange={(event) => setAgreed(event.currentTarget.checked)} /> {t("consent_given")}</label>
            <Field label={t("consent_on")} value={agreedOn} onValue={setAgreedOn} type="date" required />
          </fieldset>
        </Form>
      )}
    </Dialog>
  );
}

/** Each photo, and what the service found wrong with it, once it has looked at them. */
function Photos({ photos, warnings, onRemove }: { photos: File[]; warnings: Warning[] | undefined; onRemove?: (at: number) => void }) {
  return (
    <ul class="photos">
      {photos.map((photo, at) => {
        const wrong = warnings?.filter(({ index }) => index === at);
        return (
          <li key={`${photo.name}${photo.size}${at}`}>
            <Picture file={photo} alt={t("photo_number", { number: at + 1 })} />
            {wrong?.map(({ reason, message }) => <p class="bad" key={reason}>{said("photo", reason, message)}</p>)}
            {wrong?.length === 0 && <p class="good">{t("photo_good")}</p>}
            {onRemove && <button type="button" aria-label={`${t("remove")}: ${t("photo_number", { number: at + 1 })}`} onClick={() => onRemove(at)}>{t("remove")}</button>}
          </li>
        );
      })}
    </ul>
  );
}

function Webcam({ onPhoto }: { onPhoto: (photo: File) => void }) {
  const [isOpen, setOpen] = useState(false);
  const [take, setTake] = useState<TakePhoto | null>(null);
  return (
    <div>
      <button type="button" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>{t(isOpen ? "stop_camera" : "use_camera")}</button>
      {isOpen && <Camera onReady={(ready) => setTake(() => ready)} />}
      {isOpen && <button type="button" disabled={!take} onClick={async () => take && onPhoto(await take())}>{t("take_photo")}</button>}
    </div>
  );
}
