/**
 * Owns the public page of promises and their live evidence. Must never call a
 * promise kept that the server does not call kept.
 */
import { useEffect, useState } from "preact/hooks";
import { evidencePath, listPractices } from "../calls.ts";
import { ago, exact, number } from "../format.ts";
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
      {practice.checks?.map((check) => (
        <CheckLine key={check.check} check={check} />
      ))}
    </li>
  );
}

function CheckLine({ check }: { readonly check: Check }) {
  const count = check.time ? number(check.measured) : t("practice.notMeasured");
  const words = maybe(`check.${check.check}`, { count }) ?? t("practice.measured", { check: check.check, count });
  return (
    <p class="check">
      <span class="check__words">{words}</span>
      {check.time && (
        <span class="check__when">
          <time dateTime={check.time} title={exact(check.time)}>
            {ago(check.time)}
          </time>
          {" · "}
          <a
            href={evidencePath(check.check)}
            download={`receipt-${check.check}.txt`}
            aria-label={t("practice.receiptIndex", { index: number(check.index) })}
          >
            {t("practice.index", { index: number(check.index) })}
          </a>
        </span>
      )}
    </p>
  );
}
