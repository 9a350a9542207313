/** The picture of this device's camera, and single frames of it. */
import { useEffect, useRef, useState } from "preact/hooks";

import { t, type Key } from "./text.ts";

const LOOK_EVERY_MS = 500;
const SAMPLE = { width: 64, height: 48 };
// Of 255; between them faces can be read. A wall of a lit room has some 120.
const DARK = 45;
const BRIGHT = 225;

/** A frame as it is now, not mirrored; no wider than `width` px, where that is given. */
export type TakePhoto = (width?: number) => Promise<File>;

/** `onReady` gets what takes a photo, as soon as there is a picture. */
export function Camera({ onReady }: { onReady: (take: TakePhoto | null) => void }) {
  const video = useRef<HTMLVideoElement>(null);
  const [problem, setProblem] = useState<Key | null>(null);
  const [light, setLight] = useState<Key | null>(null);

  useEffect(() => {
    let stream: MediaStream | undefined;
    let isOver = false;
    // Without TLS a browser has no camera for anybody but localhost.
    const asked = navigator.mediaDevices?.getUserMedia({ video: { facingMode: "user", width: { ideal: 1280 } } });
    if (!asked) setProblem("camera_needs_tls");
    asked?.then(
      async (opened) => {
        stream = opened;
        if (isOver || !video.current) return stop(opened);
        video.current.srcObject = opened;
        await video.current.play().catch(() => undefined);
        onReady((width) => frameOf(video.current!, width));
      },
      (error: DOMException) => setProblem(error.name === "NotAllowedError" ? "camera_refused" : "camera_missing"),
    );
    const timer = setInterval(() => video.current && setLight(lightOf(video.current)), LOOK_EVERY_MS);
    return () => {
      isOver = true;
      clearInterval(timer);
      onReady(null);
      if (stream) stop(stream);
    };
  }, []);

  if (problem) return <p class="notice bad" role="alert">{t(problem)}</p>;
  return (
    <div class="camera">
      <video ref={video} muted playsInline aria-label={t("camera_picture")} />
      <p class="guidance" role="status">{light ? t(light) : ""}</p>
    </div>
  );
}

function stop(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}

async function frameOf(video: HTMLVideoElement, width = video.videoWidth): Promise<File> {
  const scale = Math.min(1, width / video.videoWidth);
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext("2d")!.drawImage(video, 0, 0, canvas.width, canvas.height);
  const data = await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/jpeg", 0.92));
  if (!data) throw new Error("the camera gave no picture");
  return new File([data], "photo.jpg", { type: "image/jpeg" });
}

/** What is wrong with the light, from the mean luma of a small copy. */
function lightOf(video: HTMLVideoElement): Key | null {
  if (!video.videoWidth) return null;
  const canvas = document.createElement("canvas");
  Object.assign(canvas, SAMPLE);
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  context.drawImage(video, 0, 0, SAMPLE.width, SAMPLE.height);
  const { data } = context.getImageData(0, 0, SAMPLE.width, SAMPLE.height);
  let sum = 0;
  for (let at = 0; at < data.length; at += 4) sum += 0.299 * data[at]! + 0.587 * data[at + 1]! + 0.114 * data[at + 2]!;
  const luma = sum / (data.length / 4);
  return luma < DARK ? "too_dark" : luma > BRIGHT ? "too_bright" : null;
}
