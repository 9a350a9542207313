/** The lost & found desk: what guests miss, held against what was found. */
import type { Schemas } from "cv-service-client";
import { useState } from "preact/hooks";

import { cv, useEvents, useLoad, useTask } from "../api.ts";
import { Choice, Dialog, Empty, Failure, Field, Form, PickPhotos, Picture, Shown, usePages, When } from "../parts.tsx";
import { may } from "../state.ts";
import { t, type Key } from "../text.ts";
import { Claim } from "./claim.tsx";

type State = Schemas["ClaimState"];
const PAGE = 24;

export function LostFound() {
  const sides = [...(may("claims") ? ["claims" as const] : []), ...(may("image:read") ? ["finds" as const] : [])];
  const [side, setSide] = useState(sides[0]);
  return (
    <>
      <h1>{t("lost_found")}</h1>
      <div class="tabs" role="group" aria-label={t("lost_found")}>
        {sides.map((one) => <button key={one} type="button" aria-pressed={one === side} onClick={() => setSide(one)}>{t(one)}</button>)}
      </div>
      {side === "claims" ? <Claims /> : <Finds />}
    </>
  );
}

function Claims() {
  const [state, setState] = useState<State | "">("");
  const [isNew, setNew] = useState(false);
  const [chosen, setChosen] = useState<string | null>(null);
  const pages = usePages();
  const query = { limit: PAGE, ...(state ? { state } : {}), ...(pages.cursor ? { cursor: pages.cursor } : {}) };
  const claims = useLoad((signal) => cv.listClaims({ query, signal }), [state, pages.cursor]);
  useEvents(may("events:lost_found") ? ["lost_found.match"] : [], claims.again);
  const states: [State | "", string][] = [["", t("all")], ...(["open", "matched", "returned", "closed"] as const).map((one): [State, string] => [one, t(`claim_${one}`)])];
  return (
    <>
      <div class="bar">
        <Choice label={t("state")} value={state} options={states} onValue={(value) => (pages.first(), setState(value))} />
        <button type="button" class="primary" onClick={() => setNew(true)}>{t("new_claim")}</button>
      </div>
      <Shown of={claims}>
        {(page) => page.items.length === 0 ? <Empty><p>{t("claims_empty")}</p></Empty> : (
          <>
            <ul class="cards">
              {page.items.map((claim) => (
                <li key={claim.claim_id}>
                  <span class="tag">{t(`claim_${claim.state}`)}</span>
                  <button type="button" class="plain" onClick={() => setChosen(claim.claim_id)}>{claim.description ?? t("photo_only")}</button>
                  <p class="small">{[claim.room_number, claim.place].filter(Boolean).join(" · ")}</p>
                  <p class="small"><When at={claim.created_at} /></p>
                </li>
              ))}
            </ul>
            {pages.turns(page.next_cursor)}
          </>
        )}
      </Shown>
      {isNew && <NewClaim onClose={() => setNew(false)} onMade={(id) => (setNew(false), claims.again(), setChosen(id))} />}
      {chosen && <Claim id={chosen} onClose={() => setChosen(null)} onChanged={claims.again} />}
    </>
  );
}

function NewClaim(props: { onClose: () => void; onMade: (id: string) => void }) {
  const [fields, setFields] = useState({ description: "", room_number: "", place: "", lost_from: "", lost_until: "", contact: "", note: "" });
  const [photo, setPhoto] = useState<File | null>(null);
  const task = useTask();
  const set = (name: keyof typeof fields) => (value: string) => setFields((last) => ({ ...last, [name]: value }));
  const send = async () => {
    const given = Object.entries(fields).filter(([, value]) => value.trim() !== "");
    const body = { ...Object.fromEntries(given), ...(photo ? { image: photo } : {}) } as never; // a file, not base64
    props.onMade((await cv.createClaim({ body })).claim_id);
  };
  return (
    <Dialog title={t("new_claim")} onClose={props.onClose}>
      <Form task={task} send={send} label={t("save")}>
        <Field label={t("description")} value={fields.description} onValue={set("description")} rows={3} maxLength={500} hint={t("description_hint")} required={!photo} />
        <PickPhotos label={t("photo_of_it")} onFiles={([file]) => setPhoto(file ?? null)} />
        {photo && <div class="photos"><Picture file={photo} alt={t("photo_of_it")} /></div>}
        <Field label={t("room")} value={fields.room_number} onValue={set("room_number")} maxLength={10} />
        <Field label={t("place")} value={fields.place} onValue={set("place")} maxLength={100} />
        <Field label={t("lost_from")} type="date" value={fields.lost_from} onValue={set("lost_from")} />
        <Field label={t("lost_until")} type="date" value={fields.lost_until} onValue={set("lost_until")} />
        <Field label={t("contact")} value={fields.contact} onValue={set("contact")} maxLength={200} hint={t("contact_hint")} />
        <Field label={t("note")} value={fields.note} onValue={set("note")} rows={2} maxLength={500} />
      </Form>
    </Dialog>
  );
}

interface Find {
  image_id: string;
  thumbnail_url: string;
  url: string;
  metadata: Schemas["ImageInfo"];
  similarity?: number;
}

const ANYTHING = { words: "", status: "", room_number: "", location: "", start: "", end: "" };

function Finds() {
  const [typed, setTyped] = useState(ANYTHING);
  const [asked, setAsked] = useState(ANYTHING);
  const [probe, setProbe] = useState<File | null>(null);
  const [isNew, setNew] = useState(false);
  const pages = usePages();
  const finds = useLoad(async (signal): Promise<{ items: Find[]; next_cursor: string | null }> => {
    const { words, start, end, ...among } = asked;
    const given = (of: object) => Object.fromEntries(Object.entries(of).filter(([, value]) => value !== ""));
    if (probe || words) {
      const filters = { ...given(among), ...(start || end ? { date_range: given({ start, end }) } : {}) };
      const body = { category: "lost_found", top_k: PAGE, threshold: 0, filters, ...(probe ? { query_image: probe } : { query_text: words }) };
      return { items: (await cv.searchImages({ body: body as never, signal })).results, next_cursor: null };
    }
    const query = { category: "lost_found" as const, limit: PAGE, ...given({ ...among, start, end }), ...(pages.cursor ? { cursor: pages.cursor } : {}) };
    return cv.listImages({ query, signal });
  }, [asked, probe, pages.cursor]);
  const isNarrowed = probe !== null || Object.values(asked).some(Boolean);
  const set = (name: keyof typeof ANYTHING) => (value: string) => setTyped((last) => ({ ...last, [name]: value }));
  const ask = (what: typeof ANYTHING, picture: File | null) => (pages.first(), setProbe(picture), setTyped(what), setAsked(what));
  const search = (event: Event) => {
    event.preventDefault();
    ask(Object.fromEntries(Object.entries(typed).map(([name, value]) => [name, value.trim()])) as typeof ANYTHING, null);
  };
  const statuses: [string, string][] = [["", t("all")], ...STATUSES.map((one): [string, string] => [one, statusName(one)])];
  return (
    <>
      <div class="bar">
        <form role="search" onSubmit={search}>
          <div class="inline">
            <Field label={t("search_words")} value={typed.words} onValue={set("words")} type="search" maxLength={200} />
            <button>{t("search")}</button>
          </div>
          <details>
            <summary>{t("filters")}</summary>
            <div class="inline">
              <Choice label={t("state")} value={typed.status} options={statuses} onValue={set("status")} />
              <Field label={t("room")} value={typed.room_number} onValue={set("room_number")} maxLength={10} pattern="[A-Za-z0-9][A-Za-z0-9_.\-]*" />
              <Field label={t("place")} value={typed.location} onValue={set("location")} maxLength={100} />
              <Field label={t("found_from")} type="date" value={typed.start} onValue={set("start")} />
              <Field label={t("found_until")} type="date" value={typed.end} onValue={set("end")} />
            </div>
          </details>
        </form>
        <PickPhotos label={t("search_picture")} onFiles={([file]) => file && ask({ ...typed, words: "" }, file)} />
        {isNarrowed && <button type="button" onClick={() => ask(ANYTHING, null)}>{t("show_all")}</button>}
        {may("image:write") && <button type="button" class="primary" onClick={() => setNew(true)}>{t("new_find")}</button>}
      </div>
      <Shown of={finds}>
        {(page) => page.items.length === 0 ? <Empty><p>{t(isNarrowed ? "finds_none_alike" : "finds_empty")}</p></Empty> : (
          <>
            <ul class="cards">{page.items.map((find) => <FindCard key={find.image_id} find={find} onChanged={finds.again} />)}</ul>
            {pages.turns(page.next_cursor)}
          </>
        )}
      </Shown>
      {isNew && <NewFind onClose={() => setNew(false)} onMade={() => (setNew(false), finds.again())} />}
    </>
  );
}

const STATUSES = ["active", "returned_to_guest", "disposed"] as const;

function FindCard({ find, onChanged }: { find: Find; onChanged: () => void }) {
  const { metadata } = find;
  const task = useTask();
  const name = metadata.item_type ?? metadata.description ?? find.image_id;
  const options = [...new Set([metadata.status, ...STATUSES])].map((one): [string, string] => [one, statusName(one)]);
  const set = (status: string) => task.run(async () => (await cv.changeImage({ path: { image_id: find.image_id }, body: { status } }), onChanged()));
  return (
    <li>
      <a href={find.url} target="_blank" rel="noreferrer"><img src={find.thumbnail_url} alt={name} loading="lazy" /></a>
      <p><strong>{name}</strong></p>
      {metadata.item_type && <p>{metadata.description}</p>}
      <p class="small">{[metadata.room_number, metadata.location].filter(Boolean).join(" · ")}</p>
      <p class="small"><When at={metadata.upload_time} /></p>
      {may("image:write") ? <Choice label={t("state")} value={metadata.status} options={options} onValue={set} /> : <span class="tag">{statusName(metadata.status)}</span>}
      <Failure error={task.error} />
    </li>
  );
}

function statusName(status: string): string {
  const names: Record<string, Key> = { active: "find_kept", returned_to_guest: "find_returned", disposed: "find_disposed" };
  const key = names[status];
  return key ? t(key) : status;
}

function NewFind(props: { onClose: () => void; onMade: () => void }) {
  const [photo, setPhoto] = useState<File | null>(null);
  const [fields, setFields] = useState({ item_type: "", description: "", location: "", room_number: "" });
  const task = useTask();
  const set = (name: keyof typeof fields) => (value: string) => setFields((last) => ({ ...last, [name]: value }));
  const send = async () => {
    const given = Object.entries(fields).filter(([, value]) => value.trim() !== "");
    const metadata = { category: "lost_found", ...Object.fromEntries(given) };
    await cv.indexImage({ body: { image: photo, metadata } as never }); // a file, not base64
  };
  return (
    <Dialog title={t("new_find")} onClose={props.onClose}>
      <Form task={task} send={send} label={t("save")} onDone={props.onMade} isReady={photo !== null}>
        <PickPhotos label={t("photo_of_it")} fromCamera onFiles={([file]) => setPhoto(file ?? null)} />
        {photo ? <div class="photos"><Picture file={photo} alt={t("photo_of_it")} /></div> : <p class="small">{t("photo_first")}</p>}
        <Field label={t("item_type")} value={fields.item_type} onValue={set("item_type")} maxLength={50} />
        <Field label={t("description")} value={fields.description} onValue={set("description")} rows={2} maxLength={500} />
        <Field label={t("place")} value={fields.location} onValue={set("location")} maxLength={100} />
        <Field label={t("room")} value={fields.room_number} onValue={set("room_number")} maxLength={10} />
      </Form>
    </Dialog>
  );
}
