/** Owns showing what was charged, where it stands, and what was given back. */
import { listCharges } from "../calls.ts";
import { money } from "../format.ts";
import { type Key, maybe, t } from "../language.ts";
import { Icon, Pill, type PillTone, Time } from "../parts/marks.tsx";
import { Page } from "../parts/page.tsx";
import { ListFoot, useListing } from "../parts/pages.tsx";
import { isLocal, SANDBOX_SHOP } from "../sandbox.ts";
import type { Charge, ChargeState } from "../types.ts";
import { useValv } from "../valv.ts";

const states: Readonly<Record<ChargeState, readonly [PillTone, Key]>> = {
  STATE_PENDING: ["wait", "charges.pending"],
  STATE_SUCCEEDED: ["good", "charges.succeeded"],
  STATE_DECLINED: ["bad", "charges.declined"],
  STATE_UNKNOWN: ["wait", "charges.unknown"],
};

/** The customer's charges. */
export function ChargesPage() {
  const { api } = useValv();
  const listing = useListing<Charge>(async (token) => {
    const page = await listCharges(api, token);
    return { items: page.charges ?? [], next: page.nextPageToken ?? "" };
  });
  const refresh = (
    <button type="button" class="button" onClick={listing.reload}>
      {t("action.refresh")}
    </button>
  );
  return (
    <Page title={t("nav.charges")} lead={t("charges.lead")} actions={refresh}>
      {isLocal() && (
        <p class="aside">
          {t("charges.shop")} <a href={SANDBOX_SHOP}>{t("charges.shopLink")}</a>
        </p>
      )}
      {listing.items.length > 0 && (
        <ul class="list" aria-label={t("charges.list")}>
          {listing.items.map((charge) => (
            <ChargeRow key={charge.chargeId} charge={charge} />
          ))}
        </ul>
      )}
      {listing.empty && <p class="empty">{t("charges.empty")}</p>}
      <ListFoot listing={listing} />
    </Page>
  );
}

function ChargeRow({ charge }: { readonly charge: Charge }) {
  const { currency, minor } = charge.amount;
  const [tone, key] = states[charge.state] ?? states.STATE_UNKNOWN;
  const refunded = BigInt(charge.refundedMinor ?? "0");
  const full = refunded > 0n && refunded === BigInt(minor ?? "0");
  const back = full ? "charges.refundedAll" : "charges.refundedPart";
  return (
    <li class="item" data-testid="charge">
      <Icon name="coins" />
      <div class="item__main">
        <span class="item__title">
          {charge.reference ? t("charges.for", { merchant: charge.merchant, reference: charge.reference }) : charge.merchant}
        </span>
        <span class="item__sub">
          <Time at={charge.createTime} />
          {charge.last4 && ` · ${t("charges.card", { last4: charge.last4 })}`}
        </span>
        {charge.state === "STATE_DECLINED" && (
          <span class="item__sub">{maybe(`decline.${charge.declineCode ?? ""}`) ?? t("decline.other")}</span>
        )}
        {charge.state === "STATE_UNKNOWN" && <span class="item__sub">{t("charges.unknownText")}</span>}
      </div>
      <div class="item__end">
        <span class="amount tabular">{money(currency, minor)}</span>
        <span class="pills">
          <Pill tone={tone}>{t(key)}</Pill>
          {refunded > 0n && <Pill tone="quiet">{t(back, { amount: money(currency, charge.refundedMinor) })}</Pill>}
        </span>
      </div>
    </li>
  );
}
