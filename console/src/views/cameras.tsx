/** The camera wall: what the cameras show now and how they do; their zones and masks, drawn on the picture; a URL tried out. */
import type { Schemas } from "cv-service-client";
import { useEffect, useRef, useState } from "preact/hooks";

import { cv, useEvents, useLoad, useTask } from "../api.ts";
import { Choice, Dialog, Empty, Failure, Field, Form, Picture, Shown, Sure, usePages, When } from "../parts.tsx";
import { may } from "../state.ts";
import { named, t } from "../text.ts";

type Camera = Schemas["CameraInfo"];
type Rules = Schemas["RulesModel"];
type Point = [number, number];
/** A polygon of the rules, by what it is for. */
type Shape = { use: Use; name: string; points: Point[]; rest: object };
type Use = "intrusion" | "hazard" | "mask";
type Kind = Schemas["CameraTestRequest"]["kind"];
type Source = { kind: Kind; url: string; user: string; password: string };

const NO_SOURCE: Source = { kind: "rtsp", url: "", user: "", password: "" };
const PAGE = 12;
const LOOK_EVERY_MS = 3000;
const USES: readonly Use[] = ["intrusion", "hazard", "mask"];
const FEWEST_POINTS = 3;

export function Cameras() {
  const [chosen, setChosen] = useState<string | null>(null);
  const [trying, setTrying] = useState<Source | null>(null);
  const [isSeeking, setSeeking] = useState(false);
  const pages = usePages();
  const query = { limit: PAGE, ...(pages.cursor ? { cursor: pages.cursor } : {}) };
  const cameras = useLoad((signal) => cv.listCameras({ query, signal }), [pages.cursor]);
  useEvents(may("events:camera") ? ["camera.offline", "camera.online", "camera.tampered"] : [], cameras.again);
  const looks = useLooks(cameras.data?.items.filter(({ enabled }) => enabled).map(({ id }) => id) ?? []);
  return (
    <>
      <div class="bar">
        <button type="button" onClick={cameras.again}>{t("look_again")}</button>
        {may("cameras:write") && (
          <>
            <button type="button" onClick={() => setSeeking(true)}>{t("seek_cameras")}</button>
            <button type="button" class="primary" onClick={() => setTrying(NO_SOURCE)}>{t("try_camera")}</button>
          </>
        )}
      </div>
      <Shown of={cameras}>
        {(page) => page.items.length === 0 ? <Empty><p>{t("cameras_empty")}</p></Empty> : (
          <>
            <ul class="cards">
              {page.items.map((camera) => (
                <li key={camera.id}>
                  {looks[camera.id] ? <Picture file={looks[camera.id]!} alt={camera.name ?? camera.id} /> : <p class="small">{t("no_picture")}</p>}
                  <button type="button" class="plain" onClick={() => setChosen(camera.id)}>{camera.name ?? camera.id}</button>
                  <Health camera={camera} />
                </li>
              ))}
            </ul>
            {pages.turns(page.next_cursor)}
          </>
        )}
      </Shown>
      {chosen && <Detail id={chosen} look={looks[chosen]} onClose={() => setChosen(null)} onChanged={cameras.again} />}
      {isSeeking && <Search onClose={() => setSeeking(false)} onChosen={(source) => (setSeeking(false), setTrying(source))} />}
      {trying && <Trial source={trying} onClose={() => setTrying(null)} onAdded={() => (setTrying(null), cameras.again())} />}
    </>
  );
}

/** The last picture of each, asked for one after another, and only while somebody looks at the page. */
function useLooks(ids: readonly string[]): Record<string, Blob> {
  const [looks, setLooks] = useState<Record<string, Blob>>({});
  useEffect(() => {
    const stop = new AbortController();
    void (async () => {
      while (!stop.signal.aborted) {
        for (const id of document.hidden ? [] : ids) {
          const look = await cv.getCameraSnapshot({ path: { camera_id: id }, signal: stop.signal }).catch(() => null);
          if (stop.signal.aborted) return;
          if (look) setLooks((last) => ({ ...last, [id]: look as Blob }));
        }
        await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
      }
    })();
    return () => stop.abort();
  }, [ids.join()]);
  return looks;
}

function Health({ camera: { state, armed, muted_until: muted } }: { camera: Camera }) {
  return (
    <>
      <p class={state.status === "streaming" ? "good" : "bad"}>{t(`camera_${state.status}`)}{state.frames_per_second ? ` · ${state.frames_per_second.toFixed(1)}/s` : ""}</p>
      {state.message && <p class="small">{state.message}</p>}
      <p>{!armed && <span class="tag">{t("is_disarmed")}</span>}{muted && <span class="tag">{t("muted_until")} <When at={muted} /></span>}</p>
    </>
  );
}

function Detail(props: { id: string; look: Blob | undefined; onClose: () => void; onChanged: () => void }) {
  const path = { camera_id: props.id };
  const camera = useLoad((signal) => cv.getCamera({ path, signal }), [props.id]);
  const task = useTask();
  const remove = () => task.run(async () => (await cv.removeCamera({ path }), props.onChanged(), props.onClose()));
  return (
    <Dialog title={props.id} onClose={props.onClose}>
      <Shown of={camera}>
        {(found) => (
          <>
            <dl>
              <dt>{t("name")}</dt><dd>{found.name ?? t("none")}</dd>
              <dt>{t("address")}</dt><dd>{found.url}</dd>
              <dt>{t("last_picture")}</dt><dd>{found.state.last_frame_at ? <When at={found.state.last_frame_at} /> : t("never")}</dd>
            </dl>
            <Health camera={found} />
            <Drawing camera={found} look={props.look} onSaved={() => (camera.again(), props.onChanged())} />
          </>
        )}
      </Shown>
      <Failure error={task.error} />
      {may("cameras:write") && <Sure label={t("remove_camera")} question={t("remove_camera_question")} isBusy={task.isBusy} onSure={remove} />}
    </Dialog>
  );
}

/** Zones and masks over the picture: a click adds a corner, and so do two numbers, for whoever has no mouse. */
function Drawing({ camera, look, onSaved }: { camera: Camera; look: Blob | undefined; onSaved: () => void }) {
  const [shapes, setShapes] = useState(() => shapesOf(camera.rules));
  const [use, setUse] = useState<Use>("mask");
  const [name, setName] = useState("");
  const [points, setPoints] = useState<Point[]>([]);
  const [x, setX] = useState("");
  const [y, setY] = useState("");
  const plane = useRef<SVGSVGElement>(null);
  const task = useTask();
  const mark = ({ clientX, clientY }: MouseEvent) => {
    const { left, top, width, height } = plane.current!.getBoundingClientRect();
    add([(clientX - left) / width, (clientY - top) / height]);
  };
  const add = (point: Point) => setPoints((all) => [...all, point.map((part) => Math.round(Math.min(1, Math.max(0, part)) * 1000) / 1000) as Point]);
  const finish = () => (setShapes([...shapes, { use, name: name.trim(), points, rest: {} }]), setPoints([]), setName(""));
  const save = () => cv.changeCamera({ path: { camera_id: camera.id }, body: { rules: rulesOf(camera.rules, shapes) } });
  const mayDraw = may("cameras:write");
  return (
    <fieldset>
      <legend>{t("zones")}</legend>
      <div class="drawing">
        {look && <Picture file={look} alt={t("last_picture")} />}
        <svg ref={plane} viewBox="0 0 1 1" preserveAspectRatio="none" role="img" aria-label={t("zones")} onClick={mayDraw ? mark : undefined}>
          {[...shapes, { use, points, name: "", rest: {} }].map((shape, at) => <polygon key={at} class={shape.use} points={shape.points.map((point) => point.join()).join(" ")} />)}
          {points.map(([px, py], at) => <circle key={at} cx={px} cy={py} r="0.01" />)}
        </svg>
      </div>
      <ul class="lines">
        {shapes.map((shape, at) => (
          <li key={at}>{t(`use_${shape.use}`)} · {shape.name} · {t("corners", { count: shape.points.length })} {mayDraw && <button type="button" class="plain" onClick={() => setShapes(shapes.filter((_, other) => other !== at))}>{t("remove")}: {shape.name}</button>}</li>
        ))}
      </ul>
      {mayDraw && (
        <>
          <p class="small">{t("draw_help")}</p>
          <Choice label={t("use")} value={use} options={USES.map((one): [Use, string] => [one, t(`use_${one}`)])} onValue={setUse} />
          <Field label={t("zone_name")} value={name} onValue={setName} maxLength={50} />
          <div class="inline">
            <Field label={t("from_left")} type="number" value={x} onValue={setX} />
            <Field label={t("from_top")} type="number" value={y} onValue={setY} />
            <button type="button" disabled={x === "" || y === ""} onClick={() => (add([Number(x) / 100, Number(y) / 100]), setX(""), setY(""))}>{t("add_corner")}</button>
          </div>
          <p class="bar">
            <span role="status">{t("corners", { count: points.length })}</span>
            <button type="button" disabled={points.length === 0} onClick={() => setPoints(points.slice(0, -1))}>{t("undo")}</button>
            <button type="button" disabled={points.length < FEWEST_POINTS || !name.trim()} onClick={finish}>{t("finish_zone")}</button>
          </p>
          <Form task={task} send={save} label={t("save")} onDone={onSaved}>{null}</Form>
        </>
      )}
    </fieldset>
  );
}

function shapesOf({ intrusion, zones = [], masks = [] }: Rules): Shape[] {
  const shaped = (use: Use, { name, points, ...rest }: { name: string; points: unknown }) => ({ use, name, points: points as Point[], rest });
  return [
    ...(intrusion?.zones ?? []).map((zone) => shaped("intrusion", zone)),
    ...zones.map((zone) => shaped("hazard", zone)),
    ...masks.map((zone) => shaped("mask", zone)),
  ];
}

/** The rules with other zones; whatever else they say stays. The first zone for intruders lets them be looked for. */
function rulesOf(rules: Rules, shapes: readonly Shape[]): Rules {
  const of = (use: Use) => shapes.filter((shape) => shape.use === use).map(({ name, points, rest }) => ({ ...rest, name, points }));
  const zones = of("intrusion");
  const anomalies = rules.anomalies ?? [];
  const looksForPeople = zones.length > 0 && !anomalies.includes("intrusion");
  return {
    ...rules,
    anomalies: looksForPeople ? [...anomalies, "intrusion"] : anomalies,
    intrusion: rules.intrusion || zones.length > 0 ? { ...rules.intrusion, zones } : null,
    zones: of("hazard"),
    masks: of("mask"),
  } as Rules;
}

/** Ask for ONVIF cameras; a stream of one that answered is tried out next, with the same login. */
function Search({ onClose, onChosen }: { onClose: () => void; onChosen: (source: Source) => void }) {
  const [hosts, setHosts] = useState("");
  const [user, setUser] = useState("");
  const [password, setPassword] = useState("");
  const [found, setFound] = useState<Schemas["DiscoveredCameraInfo"][] | null>(null);
  const task = useTask();
  const send = async () => {
    setFound(null);
    const body = { hosts: hosts.split(/[\s,]+/).filter(Boolean), ...(user ? { credentials: { username: user, password } } : {}) };
    setFound((await cv.discoverCameras({ body })).cameras);
  };
  const choose = (kind: Kind, url: string) => onChosen({ kind, url, user, password });
  return (
    <Dialog title={t("seek_cameras")} onClose={onClose}>
      <Form task={task} send={send} label={t("seek")}>
        <Field label={t("hosts")} value={hosts} onValue={setHosts} maxLength={2000} autocomplete="off" hint={t("hosts_hint")} />
        <Field label={t("user_name")} value={user} onValue={setUser} maxLength={200} autocomplete="off" />
        <Field label={t("password")} type="password" value={password} onValue={setPassword} maxLength={200} autocomplete="off" />
      </Form>
      <p role="status">{found && t("cameras_found", { count: found.length })}</p>
      <ul class="cards">
        {found?.map(({ address, name, manufacturer, model, message, profiles }) => (
          <li key={address}>
            <strong>{name ?? model ?? address}</strong>
            <p class="small">{[manufacturer, model, address].filter(Boolean).join(" · ")}</p>
            {message && <p class="bad">{message}</p>}
            {profiles.map(({ name: stream, width, height, url, snapshot_url: still }) => (
              <p key={stream} class="bar">
                <span>{stream}{width && height ? ` · ${width} × ${height}` : ""}</span>
                {url && <button type="button" onClick={() => choose("rtsp", url)}>{t("take_stream", { name: stream })}</button>}
                {still && <button type="button" onClick={() => choose("snapshot", still)}>{t("take_stills", { name: stream })}</button>}
              </p>
            ))}
          </li>
        ))}
      </ul>
    </Dialog>
  );
}

/** Open a camera once, see what it gives, and take it in. */
function Trial({ source: given, onClose, onAdded }: { source: Source; onClose: () => void; onAdded: () => void }) {
  const [kind, setKind] = useState(given.kind);
  const [url, setUrl] = useState(given.url);
  const [user, setUser] = useState(given.user);
  const [password, setPassword] = useState(given.password);
  const [id, setId] = useState("");
  const [answer, setAnswer] = useState<Schemas["CameraTestResponse"] | null>(null);
  const task = useTask();
  const adding = useTask();
  const kinds: [Kind, string][] = [["rtsp", "RTSP"], ["mjpeg", "MJPEG"], ["snapshot", t("snapshot")], ["file", t("film")]];
  const source = { kind, url, ...(user ? { credentials: { username: user, password } } : {}) };
  const send = async () => (setAnswer(null), setAnswer(await cv.tryCamera({ body: source })));
  const add = () => cv.addCamera({ body: { id, tasks: ["anomaly"], ...source } });
  return (
    <Dialog title={t("try_camera")} onClose={onClose}>
      <Form task={task} send={send} label={t("try_it")}>
        <Choice label={t("kind")} value={kind} options={kinds} onValue={setKind} />
        <Field label={t("address")} value={url} onValue={(value) => (setAnswer(null), setUrl(value))} required maxLength={2000} autocomplete="off" />
        <Field label={t("user_name")} value={user} onValue={setUser} maxLength={200} autocomplete="off" />
        <Field label={t("password")} type="password" value={password} onValue={setPassword} maxLength={200} autocomplete="off" />
      </Form>
      {answer && (
        <div role="status" class={`notice ${answer.success ? "good" : "bad"}`}>
          <p>{answer.success ? t("camera_works", { width: answer.width ?? 0, height: answer.height ?? 0, ms: answer.elapsed_ms }) : `${named(answer.fault ?? "")}: ${answer.message ?? ""}`}</p>
          {answer.preview && <Picture file={jpeg(answer.preview)} alt={t("last_picture")} />}
        </div>
      )}
      {answer?.success && (
        <Form task={adding} send={add} label={t("add_camera")} onDone={onAdded}>
          <Field label={t("camera")} value={id} onValue={setId} required maxLength={50} pattern="[A-Za-z0-9][A-Za-z0-9_.\-]*" hint={t("camera_name_hint")} />
        </Form>
      )}
    </Dialog>
  );
}

function jpeg(base64: string): Blob {
  return new Blob([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], { type: "image/jpeg" });
}
