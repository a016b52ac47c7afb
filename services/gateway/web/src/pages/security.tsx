/**
 * Owns the public page of promises and their live evidence. Must never call a
 * promise kept that the server does not call kept.
 */
import { useEffect, useState } from "preact/hooks";
import { evidencePath, listPractices } from "../calls.ts";
import { ago, exact, moment, number } from "../format.ts";
import { type Key, maybe, plural, t } from "../language.ts";
import { Pill, type PillTone } from "../parts/marks.tsx";
import { Problem } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";
import { Waiting } from "../parts/pages.tsx";
import type { Check, Practice, PracticeState } from "../types.ts";
import { useValv } from "../valv.ts";

const states: Readonly<Record<PracticeState, readonly [PillTone, Key]>> = {
  STATE_KEPT: ["good", "practice.kept"],
  STATE_BROKEN: ["bad", "practice.broken"],
  STATE_UNKNOWN: ["wait", "practice.unknown"],
  STATE_NO_CHECK: ["quiet", "practice.noCheck"],
};

/** The promises. */
export function SecurityPage() {
  const { api } = useValv();
  const [practices, setPractices] = useState<readonly Practice[]>();
  const [error, setError] = useState<unknown>();
  const read = () => {
    setError(undefined);
    listPractices(api).then(setPractices, setError);
  };
  useEffect(read, [api]);
  return (
    <Page title={t("security.title")} lead={t("security.lead")}>
      <Problem error={error} retry={read} />
      {!practices && !error && <Waiting />}
      {practices && (
        <>
          <Tally practices={practices} />
          <ol class="promises">
            {practices.map((practice) => (
              <Promised key={practice.promise} practice={practice} />
            ))}
          </ol>
        </>
      )}
      <section class="panel" aria-labelledby="log">
        <h2 id="log">{t("log.title")}</h2>
        <p>{t("log.text")}</p>
        <ul class="links">
          <li>
            <a href="/log/key">{t("log.key")}</a>
          </li>
          <li>
            <a href="/log/checkpoint">{t("log.checkpoint")}</a>
          </li>
        </ul>
      </section>
    </Page>
  );
}

/** How many promises stand how: the whole page in one line. */
function Tally({ practices }: { readonly practices: readonly Practice[] }) {
  const count = (state: PracticeState) => practices.filter((practice) => (practice.state ?? "STATE_NO_CHECK") === state).length;
  const broken = count("STATE_BROKEN");
  const unknown = count("STATE_UNKNOWN");
  return (
    <p class="tally">
      <strong>{plural("practice.tally", count("STATE_KEPT"), { total: number(practices.length) })}</strong>{" "}
      {broken > 0 && plural("practice.tallyBroken", broken)} {unknown > 0 && plural("practice.tallyUnknown", unknown)}{" "}
      {plural("practice.tallyNone", count("STATE_NO_CHECK"))}
    </p>
  );
}

function Promised({ practice }: { readonly practice: Practice }) {
  const [tone, key] = states[practice.state ?? "STATE_NO_CHECK"];
  const name = practice.promise;
  return (
    <li class="promise" data-testid={name} id={name}>
      <div class="promise__head">
        <span class="promise__number">{name}</span>
        <Pill tone={tone}>{t(key)}</Pill>
      </div>
      <h2>{maybe(`promise.${name}.title`) ?? name}</h2>
      <p>{maybe(`promise.${name}.text`)}</p>
      {alike((practice.checks ?? []).filter((check) => check.state !== "STATE_NO_CHECK")).map(([kind, checks]) => (
        <CheckLine key={kind} kind={kind} checks={checks} />
      ))}
    </li>
  );
}

/** One kind of check, in every service that runs it; the worst of them is what is shown. */
function CheckLine({ kind, checks }: { readonly kind: string; readonly checks: readonly Check[] }) {
  const shown = checks.reduce(worse);
  const state = shown.state ?? "STATE_UNKNOWN";
  const ran = checks.filter((check) => check.time);
  const oldest = ran.map((check) => check.time ?? "").sort()[0];
  const alert = checks.map((check) => check.alertTime).find((time) => time !== undefined);
  const [tone, word] = states[state];
  return (
    <div class="check" data-testid={`${kind}-check`}>
      <p class="check__words">{maybe(`check.${kind}`) ?? shown.check}</p>
      <p class="check__value">
        {state !== "STATE_KEPT" && <Pill tone={tone}>{t(word)}</Pill>} {state !== "STATE_UNKNOWN" && <Measured check={shown} />}
      </p>
      {alert && <p class="check__alert">{t("practice.alert", { time: moment(alert) })}</p>}
      {oldest ? (
        <p class="check__when">
          <time dateTime={oldest} title={exact(oldest)}>
            {ago(oldest)}
          </time>
          {" · "}
          {ran.length > 1 && <>{t("practice.receipts")} </>}
          {ran.map((check, at) => (
            <>
              {at > 0 && ", "}
              <Receipt check={check} among={ran.length} />
            </>
          ))}
        </p>
      ) : (
        <p class="check__when">{t("practice.notMeasured")}</p>
      )}
    </div>
  );
}

/** The receipt of a check's latest result, named after its service when there are several. */
function Receipt({ check, among }: { readonly check: Check; readonly among: number }) {
  const index = number(check.index);
  const service = check.check.split(".")[0] ?? "";
  return (
    <a
      href={evidencePath(check.check)}
      download={`receipt-${check.check}.txt`}
      title={t("practice.index", { index })}
      aria-label={t("practice.receiptIndex", { index })}
    >
      {among > 1 ? (maybe(`service.${service}`) ?? service) : t("practice.index", { index })}
    </a>
  );
}

const order: readonly PracticeState[] = ["STATE_NO_CHECK", "STATE_KEPT", "STATE_UNKNOWN", "STATE_BROKEN"];

/** Returns the one of two checks that tells the worse: by its state, then by its distance to the threshold. */
function worse(one: Check, other: Check): Check {
  const rank = (check: Check) => order.indexOf(check.state ?? "STATE_UNKNOWN");
  if (rank(one) !== rank(other)) return rank(one) > rank(other) ? one : other;
  const more = Number(one.measured ?? 0) > Number(other.measured ?? 0);
  return more === Boolean(one.least) ? other : one;
}

/** Returns checks by what they look at, in the order in which they come. */
function alike(checks: readonly Check[]): readonly (readonly [string, readonly Check[]])[] {
  const kinds = new Map<string, Check[]>();
  for (const check of checks) {
    const kind = check.check.slice(check.check.indexOf(".") + 1);
    kinds.set(kind, [...(kinds.get(kind) ?? []), check]);
  }
  return [...kinds];
}

/** What a check measured and, unless nothing at all is allowed, what it was held against. */
function Measured({ check }: { readonly check: Check }) {
  const value = Number(check.measured ?? 0);
  if (Number(check.threshold ?? 0) === 0) return <>{value === 0 ? t("practice.none") : number(value)}</>;
  return (
    <>
      {amount(check.unit, value)}{" "}
      <span class="check__threshold">
        {t(check.least ? "practice.least" : "practice.most", { threshold: number(check.threshold) })}
      </span>
    </>
  );
}

function amount(unit: Check["unit"], count: number): string {
  switch (unit) {
    case "UNIT_BITS":
      return plural("unit.bits", count);
    case "UNIT_DAYS":
      return plural("unit.days", count);
    case "UNIT_MINUTES":
      return plural("unit.minutes", count);
    case "UNIT_MILLISECONDS":
      return plural("unit.milliseconds", count);
    default:
      return number(count);
  }
}
