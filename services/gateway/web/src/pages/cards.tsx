/**
 * Owns the cards page. Must never see a card number: it mounts the payment
 * gateway's fields and hears only whether the gateway took the card.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import { createCard, deleteCard, listCards, setUpCard } from "../calls.ts";
import { type CardFields, CardFieldsAway, CardRefused, mountCardFields } from "../card-fields.ts";
import { maybe, t } from "../language.ts";
import { Confirm } from "../parts/dialog.tsx";
import { Facts } from "../parts/facts.tsx";
import { Submit } from "../parts/form.tsx";
import { Icon, Pill, Time } from "../parts/marks.tsx";
import { Notice, Problem } from "../parts/notice.tsx";
import { focusHeading, Page } from "../parts/page.tsx";
import { ListFoot, useListing, Waiting } from "../parts/pages.tsx";
import type { Card, CardSetup } from "../types.ts";
import { useValv } from "../valv.ts";

/** "visa" as people write it; the payment gateway's name when it is new to us. */
export function brandOf(brand: string): string {
  return maybe(`brand.${brand}`) ?? brand;
}

/** The customer's cards. */
export function CardsPage() {
  const { api } = useValv();
  const listing = useListing<Card>(async () => ({ items: await listCards(api), next: "" }));
  const [adding, setAdding] = useState(false);
  const [doomed, setDoomed] = useState<Card>();
  const [said, setSaid] = useState("");
  const close = () => {
    setAdding(false);
    focusHeading();
  };
  const added = (card: Card) => {
    close();
    setSaid(t("cards.added"));
    // Asking twice keeps a card once: it may be in the list already.
    listing.change((items) => [card, ...items.filter((other) => other.cardId !== card.cardId)]);
  };
  const remove = async (card: Card) => {
    await deleteCard(api, card.cardId);
    setSaid(t("cards.removed"));
    listing.change((items) => items.filter((other) => other.cardId !== card.cardId));
  };
  const add = (
    <button type="button" class="button button--main" onClick={() => setAdding(true)}>
      {t("cards.add")}
    </button>
  );
  return (
    <Page title={t("nav.cards")} {...(!adding && { lead: t("cards.lead") })} actions={!adding && add}>
      <div role="status">{said && <div class="notice notice--good">{said}</div>}</div>
      {adding && <AddCard onAdded={added} onClose={close} />}
      {listing.items.length > 0 && (
        <ul class="list" aria-label={t("cards.list")}>
          {listing.items.map((card) => (
            <CardRow key={card.cardId} card={card} onRemove={() => setDoomed(card)} />
          ))}
        </ul>
      )}
      {listing.empty && !adding && <p class="empty">{t("cards.empty")}</p>}
      <ListFoot listing={listing} />
      {doomed && (
        <Confirm
          title={t("cards.removeTitle", { brand: brandOf(doomed.brand), last4: doomed.last4 })}
          verb={t("cards.removeVerb")}
          onConfirm={() => remove(doomed)}
          onClose={(done) => {
            setDoomed(undefined);
            if (done) focusHeading();
          }}
        >
          <p>{t("cards.removeText")}</p>
        </Confirm>
      )}
    </Page>
  );
}

function CardRow({ card, onRemove }: { readonly card: Card; readonly onRemove: () => void }) {
  const name = t("cards.name", { brand: brandOf(card.brand), last4: card.last4 });
  const expiry = `${String(card.expMonth).padStart(2, "0")}/${String(card.expYear).slice(-2)}`;
  return (
    <li class="item" data-testid="card">
      <Icon name="card" />
      <div class="item__main">
        <span class="item__title tabular">{name}</span>
        <span class="item__sub">
          {t("cards.expires", { expiry })} · {t("cards.addedOn")} <Time at={card.createTime} />
        </span>
      </div>
      <div class="item__actions">
        <button
          type="button"
          class="button button--small button--quiet"
          aria-label={t("cards.removeName", { name })}
          onClick={onRemove}
        >
          {t("cards.remove")}
        </button>
      </div>
    </li>
  );
}

/** Adding a card: a set-up from Valv, the payment gateway's fields, and the gateway's answer. */
function AddCard({ onAdded, onClose }: { readonly onAdded: (card: Card) => void; readonly onClose: () => void }) {
  const { api } = useValv();
  const place = useRef<HTMLDivElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const [setup, setSetup] = useState<CardSetup>();
  const [fields, setFields] = useState<CardFields>();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();

  useEffect(() => {
    let gone = false;
    let mounted: CardFields | undefined;
    const begin = async () => {
      const given = await setUpCard(api);
      if (gone || !place.current) return;
      setSetup(given);
      mounted = await mountCardFields(given, place.current);
      if (gone) mounted.remove();
      else setFields(mounted);
    };
    begin().catch((caught: unknown) => !gone && setError(caught));
    return () => {
      gone = true;
      mounted?.remove();
    };
  }, [api]);

  useEffect(() => heading.current?.focus(), []);

  const submit = async () => {
    if (busy || !fields || !setup) return;
    setBusy(true);
    setError(undefined);
    try {
      await fields.confirm();
      onAdded((await createCard(api, setup.setupId)).card);
    } catch (caught) {
      setError(caught);
      setBusy(false);
    }
  };

  return (
    <section class="panel" aria-labelledby="add-card">
      <h2 id="add-card" tabIndex={-1} ref={heading}>
        {t("cards.addTitle")} {setup?.sandbox && <Pill tone="wait">{t("cards.sandbox")}</Pill>}
      </h2>
      <p>{t("cards.direct")}</p>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <div class="card-fields" ref={place} data-testid="card-fields" />
        {!fields && !error && <Waiting />}
        <CardProblem error={error} />
        <div class="row">
          {fields && <Submit busy={busy}>{t("cards.save")}</Submit>}
          <button type="button" class="button" onClick={onClose}>
            {t("action.cancel")}
          </button>
        </div>
      </form>
      {setup?.sandbox && <SandboxNumbers />}
    </section>
  );
}

function CardProblem({ error }: { readonly error: unknown }) {
  if (error instanceof CardFieldsAway) return <Notice tone="bad">{t("problem.CARD_FIELDS")}</Notice>;
  if (error instanceof CardRefused)
    return (
      <Notice tone="bad">
        {t("cards.notSaved")} {maybe(`decline.${error.code}`) ?? t("decline.other")}
      </Notice>
    );
  return <Problem error={error} context="card" />;
}

const numbers = [
  ["4242 4242 4242 4242", "cards.numberAccepted"],
  ["4000 0000 0000 0002", "cards.numberDeclined"],
  ["4000 0000 0000 0069", "cards.numberExpired"],
] as const;

function SandboxNumbers() {
  return (
    <div class="aside">
      <p>{t("cards.sandboxText")}</p>
      <Facts small rows={numbers.map(([digits, key]) => [<code>{digits}</code>, t(key)])} />
    </div>
  );
}
