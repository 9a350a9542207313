/** One claim: the finds that it may be about and why, the hand-over, its label. */
import type { Schemas } from "cv-service-client";
import { useEffect, useState } from "preact/hooks";

import { cv, useLoad, useTask } from "../api.ts";
import { Dialog, Failure, Field, Form, Shown, Sure, When } from "../parts.tsx";
import { t } from "../text.ts";

type Suggestion = Schemas["SuggestionInfo"];

export function Claim({ id, onClose, onChanged }: { id: string; onClose: () => void; onChanged: () => void }) {
  const path = { claim_id: id };
  const claim = useLoad((signal) => cv.getClaim({ path, signal }), [id]);
  const finds = useLoad((signal) => cv.listClaimSuggestions({ path, query: { limit: 10 }, signal }), [id]);
  const [given, setGiven] = useState<Suggestion | null>(null);
  const task = useTask();
  const changed = () => (setGiven(null), claim.again(), finds.again(), onChanged());
  const change = (body: Schemas["ClaimChangeRequest"]) => task.run(async () => (await cv.changeClaim({ path, body }), changed()));
  const erase = () => task.run(async () => (await cv.deleteClaim({ path }), onChanged(), onClose()));
  return (
    <Dialog title={t("claim")} onClose={onClose}>
      <Shown of={claim}>
        {(found) => (
          <>
            <Particulars claim={found} />
            <Failure error={task.error} />
            {found.hand_over ? <HandedOver hand={found.hand_over} /> : found.state !== "closed" && (
              <>
                <h3>{t("suggestions")}</h3>
                <Shown of={finds}>
                  {({ suggestions }) => suggestions.length === 0 ? <p>{t(found.needs_photo ? "claim_needs_photo" : "suggestions_empty")}</p> : (
                    <ul class="cards">
                      {suggestions.map((find) => (
                        <SuggestionCard key={find.image_id} find={find} onGive={() => setGiven(find)} onDismiss={() => change({ dismissed_finds: [find.image_id] })} />
                      ))}
                    </ul>
                  )}
                </Shown>
              </>
            )}
            {given && <HandOver claimId={id} find={given} onDone={changed} />}
            <p class="bar">
              <Label claimId={id} />
              {found.state === "closed" && <button type="button" onClick={() => change({ state: "open" })}>{t("open_again")}</button>}
              {(found.state === "open" || found.state === "matched") && <button type="button" onClick={() => change({ state: "closed" })}>{t("close_claim")}</button>}
              <Sure label={t("erase")} question={t("erase_claim")} isBusy={task.isBusy} onSure={erase} />
            </p>
          </>
        )}
      </Shown>
    </Dialog>
  );
}

function Particulars({ claim }: { claim: Schemas["ClaimInfo"] }) {
  return (
    <dl>
      <dt>{t("state")}</dt><dd>{t(`claim_${claim.state}`)}</dd>
      <dt>{t("description")}</dt><dd>{claim.description ?? t("photo_only")}</dd>
      <dt>{t("place")}</dt><dd>{[claim.room_number, claim.place].filter(Boolean).join(" · ") || t("none")}</dd>
      <dt>{t("lost_from")}</dt><dd>{[claim.lost_from, claim.lost_until].filter(Boolean).join(" – ") || t("none")}</dd>
      <dt>{t("contact")}</dt><dd>{claim.contact ?? t("none")}</dd>
      <dt>{t("note")}</dt><dd>{claim.note ?? t("none")}</dd>
      <dt>{t("taken_in")}</dt><dd><When at={claim.created_at} /> {claim.created_by}</dd>
    </dl>
  );
}

function SuggestionCard({ find, onGive, onDismiss }: { find: Suggestion; onGive: () => void; onDismiss: () => void }) {
  const name = find.metadata.item_type ?? find.metadata.description ?? find.image_id;
  return (
    <li>
      <img src={find.thumbnail_url} alt={name} loading="lazy" />
      <p><strong>{name}</strong></p>
      <p>{t("score", { percent: Math.round(find.score * 100) })}</p>
      <p>{find.reasons.map((reason) => <span class="tag" key={reason}>{t(reason)}</span>)}</p>
      <p class="small"><When at={find.metadata.upload_time} /></p>
      <button type="button" class="primary" onClick={onGive}>{t("give_out")}</button>{" "}
      <button type="button" onClick={onDismiss}>{t("not_it")}</button>
    </li>
  );
}

function HandOver({ claimId, find, onDone }: { claimId: string; find: Suggestion; onDone: () => void }) {
  const [receiver, setReceiver] = useState("");
  const [paper, setPaper] = useState("");
  const task = useTask();
  const body = { image_id: find.image_id, received_by: receiver, paper_seen: paper };
  return (
    <fieldset>
      <legend>{t("give_out")}</legend>
      <Form task={task} send={() => cv.handOverFind({ path: { claim_id: claimId }, body })} label={t("give_out_now")} onDone={onDone}>
        <Field label={t("received_by")} value={receiver} onValue={setReceiver} required maxLength={200} />
        <Field label={t("paper_seen")} value={paper} onValue={setPaper} required maxLength={50} hint={t("paper_hint")} />
      </Form>
    </fieldset>
  );
}

function HandedOver({ hand }: { hand: Schemas["HandOverInfo"] }) {
  return (
    <dl>
      <dt>{t("received_by")}</dt><dd>{hand.received_by}</dd>
      <dt>{t("paper_seen")}</dt><dd>{hand.paper_seen}</dd>
      <dt>{t("handed_over")}</dt><dd><When at={hand.handed_over_at} /> {hand.handed_over_by}</dd>
    </dl>
  );
}

function Label({ claimId }: { claimId: string }) {
  const [address, setAddress] = useState("");
  const task = useTask();
  useEffect(() => () => URL.revokeObjectURL(address), [address]);
  const show = () => task.run(async () => setAddress(URL.createObjectURL(await cv.printClaimLabel({ path: { claim_id: claimId } }))));
  if (!address) return <><button type="button" onClick={show}>{t("label")}</button><Failure error={task.error} /></>;
  return <span class="label"><img src={address} alt={t("label")} /><a href={address} target="_blank">{t("print")}</a></span>;
}
