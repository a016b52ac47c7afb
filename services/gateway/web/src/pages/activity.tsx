/**
 * Owns "who accessed my data": every event in words, with its place in the log
 * and its receipt. Must never leave out an event it has no words for.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import { EVERYTHING, type Filter, narrows } from "../activity-filter.ts";
import type { Api } from "../api.ts";
import { listActivity, logKey, receiptPath } from "../calls.ts";
import { describe, particulars, who, whyOf } from "../events.ts";
import { number } from "../format.ts";
import { plural, t } from "../language.ts";
import { deviceName } from "../origin.ts";
import { Facts } from "../parts/facts.tsx";
import { Pill, Time } from "../parts/marks.tsx";
import { Page } from "../parts/page.tsx";
import { type Batch, ListFoot, type Listing, useListing } from "../parts/pages.tsx";
import type { Activity } from "../types.ts";
import { useValv } from "../valv.ts";
import { DownloadBar } from "./activity-download.tsx";
import { FilterForm } from "./activity-filter.tsx";

/** Pages that the server may find nothing on before the person is asked whether to look further. */
const PAGES_AT_ONCE = 4;

/** The customer's events. */
export function ActivityPage() {
  const { api, session } = useValv();
  const filter = useRef(EVERYTHING);
  const listing = useListing<Activity>((token) => look(api, token, filter.current));
  const narrow = (wanted: Filter) => {
    filter.current = wanted;
    listing.reload();
  };
  const me = session.state.value.kind === "in" ? session.state.value.session.accountId : "";
  const refresh = (
    <button type="button" class="button" onClick={listing.reload}>
      {t("action.refresh")}
    </button>
  );
  return (
    <Page title={t("nav.activity")} lead={t("activity.lead")} actions={refresh}>
      <HowToVerify />
      <FilterForm busy={listing.loading} onFilter={narrow} />
      <div class="shown">
        <Found listing={listing} narrowed={narrows(filter.current)} />
        <DownloadBar filter={filter.current} />
      </div>
      {listing.items.length > 0 && (
        <ol class="list" aria-label={t("activity.list")}>
          {listing.items.map((item) => (
            <EventRow key={item.event.eventId} item={item} me={me} />
          ))}
        </ol>
      )}
      {listing.empty && !narrows(filter.current) && <p class="empty">{t("activity.empty")}</p>}
      <ListFoot listing={listing} />
    </Page>
  );
}

/** Reads a page, and those after it while nothing on them answers the filter. */
async function look(api: Api, token: string, filter: Filter): Promise<Batch<Activity>> {
  let next = token;
  for (let pages = 1; ; pages += 1) {
    const page = await listActivity(api, next, filter);
    next = page.nextPageToken ?? "";
    if (page.activities?.length || !next || pages === PAGES_AT_ONCE) return { items: page.activities ?? [], next };
  }
}

/** Says what the filter found, and tells it to screen readers when it changes. */
function Found({ listing, narrowed }: { readonly listing: Listing<Activity>; readonly narrowed: boolean }) {
  const shown = listing.items.length;
  const none = t(listing.next ? "filter.further" : "filter.none");
  const told = narrowed && listing.loaded && !listing.loading && !listing.error;
  return (
    <p class="quiet found" role="status">
      {told && (shown > 0 ? plural("filter.found", shown) : none)}
    </p>
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
    [t("activity.leafHash"), item.leafHash],
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
