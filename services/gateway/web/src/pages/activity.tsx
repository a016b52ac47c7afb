/**
 * Owns "who accessed my data": every event in words, with its place in the log
 * and its receipt. Must never leave out an event it has no words for.
 */
import { useEffect, useState } from "preact/hooks";
import { listActivity, logKey, receiptPath } from "../calls.ts";
import { describe, particulars, who, whyOf } from "../events.ts";
import { number } from "../format.ts";
import { t } from "../language.ts";
import { deviceName } from "../origin.ts";
import { Facts } from "../parts/facts.tsx";
import { Pill, Time } from "../parts/marks.tsx";
import { Page } from "../parts/page.tsx";
import { ListFoot, useListing } from "../parts/pages.tsx";
import type { Activity } from "../types.ts";
import { useValv } from "../valv.ts";

/** The customer's events. */
export function ActivityPage() {
  const { api, session } = useValv();
  const listing = useListing<Activity>(async (token) => {
    const page = await listActivity(api, token);
    return { items: page.activities ?? [], next: page.nextPageToken ?? "" };
  });
  const me = session.state.value.kind === "in" ? session.state.value.session.accountId : "";
  const refresh = (
    <button type="button" class="button" onClick={listing.reload}>
      {t("action.refresh")}
    </button>
  );
  return (
    <Page title={t("nav.activity")} lead={t("activity.lead")} actions={refresh}>
      <HowToVerify />
      {listing.items.length > 0 && (
        <ol class="list" aria-label={t("activity.list")}>
          {listing.items.map((item) => (
            <EventRow key={item.event.eventId} item={item} me={me} />
          ))}
        </ol>
      )}
      {listing.empty && <p class="empty">{t("activity.empty")}</p>}
      <ListFoot listing={listing} />
    </Page>
  );
}

function EventRow({ item, me }: { readonly item: Activity; readonly me: string }) {
  const { event } = item;
  const place = [event.origin?.address, event.origin?.device && deviceName(event.origin.device)].filter(Boolean).join(" · ");
  return (
    <li class="item" data-testid="event" data-action={event.action}>
      <div class="item__main">
        <span class="item__title">
          {describe(event)} {event.outcome === "OUTCOME_DENIED" && <Pill tone="bad">{t("activity.denied")}</Pill>}
          {event.outcome === "OUTCOME_FAILED" && <Pill tone="wait">{t("activity.failed")}</Pill>}
        </span>
        <span class="item__sub">
          {[who(event, me), whyOf(event), particulars(event)].filter(Boolean).join(" · ")}
        </span>
        <span class="item__sub">
          <Time at={event.time} precise />
          {place && ` · ${t("activity.from", { place })}`}
          {item.provable && ` · ${t("practice.index", { index: number(item.index) })}`}
        </span>
        <details class="more">
          <summary>{t("activity.details")}</summary>
          <Particulars item={item} />
        </details>
      </div>
      <div class="item__end">
        {item.provable ? <Receipt item={item} /> : <Pill tone="quiet">{t("activity.notYet")}</Pill>}
      </div>
    </li>
  );
}

function Receipt({ item }: { readonly item: Activity }) {
  const { api } = useValv();
  const index = number(item.index);
  return (
    <a
      class="button button--small"
      href={receiptPath(item.event.eventId)}
      download={`receipt-${item.event.eventId}.txt`}
      aria-label={t("activity.receiptIndex", { index })}
      onClick={() => api.touched()}
    >
      {t("activity.receipt")}
    </a>
  );
}

function Particulars({ item }: { readonly item: Activity }) {
  const { event } = item;
  const rows: readonly (readonly [string, string | undefined])[] = [
    [t("activity.action"), event.action],
    [t("activity.reason"), event.reason],
    [t("activity.object"), event.object?.id],
    [t("activity.producer"), item.producer],
    [t("activity.eventId"), event.eventId],
    [t("activity.sessionId"), event.session],
    [t("activity.requestId"), event.requestId],
  ];
  return <Facts small rows={rows.map(([name, value]) => [name, value && <code>{value}</code>])} />;
}

function HowToVerify() {
  const { api } = useValv();
  const [key, setKey] = useState("");
  useEffect(() => {
    // Without the key the command still tells where to get it.
    logKey(api).then(setKey, () => setKey(""));
  }, [api]);
  return (
    <details class="panel panel--fold">
      <summary>{t("verify.title")}</summary>
      <p>{t("verify.text")}</p>
      <pre class="command" tabIndex={0} aria-label={t("verify.command")}>
        <code>{t("verify.example", { key: key || t("verify.key") })}</code>
      </pre>
      <p>
        <a href="/log/key">{t("verify.keyLink")}</a>
      </p>
      <p class="quiet">{t("verify.more")}</p>
    </details>
  );
}
