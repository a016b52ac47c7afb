/** Owns the list of where the account is signed in, and ending that. Must never end this session by another's button. */
import { useEffect, useRef, useState } from "preact/hooks";
import { endAllSessions, endOtherSessions, endSession, listSessions } from "../../calls.account.ts";
import { ago, exact } from "../../format.ts";
import { t } from "../../language.ts";
import { deviceName, placeName } from "../../origin.ts";
import { Confirm } from "../../parts/dialog.tsx";
import { Icon, Pill, Time } from "../../parts/marks.tsx";
import { ListFoot, useListing } from "../../parts/pages.tsx";
import { Problem } from "../../parts/notice.tsx";
import { Section } from "../../parts/section.tsx";
import { useTask } from "../../parts/task.ts";
import { go } from "../../router.ts";
import type { OwnSession } from "../../types.account.ts";
import { useValv } from "../../valv.ts";

/** The sessions. `changes` counts what has been changed elsewhere on the page: it may have ended some. */
export function SessionsSection({ changes }: { readonly changes: number }) {
  const { api, session } = useValv();
  const [asking, setAsking] = useState<"others" | "all">();
  const [said, setSaid] = useState("");
  const task = useTask();
  const listing = useListing<OwnSession>(async () => ({ items: await listSessions(api), next: "" }));
  const seen = useRef(changes);
  useEffect(() => {
    if (seen.current !== changes) listing.reload();
    seen.current = changes;
  }, [changes]);
  const others = listing.items.some((row) => !row.current);
  const ended = (sentence: string) => {
    setSaid(sentence);
    listing.reload();
  };
  const endOne = async (row: OwnSession) => {
    if (await task.run(() => endSession(api, row.sessionId))) ended(t("sessions.endedOne"));
  };
  const close = (done: boolean) => {
    if (done && asking === "others") ended(t("sessions.endedOthers"));
    if (done && asking === "all") go("/sign-in");
    setAsking(undefined);
  };
  return (
    <Section title={t("sessions.title")} said={said}>
      <p class="quiet">{t("sessions.text")}</p>
      <Problem error={task.error} />
      {listing.items.length > 0 && (
        <ul class="list list--inner" aria-label={t("sessions.list")}>
          {listing.items.map((row) => (
            <Row key={row.sessionId} row={row} onEnd={() => void endOne(row)} />
          ))}
        </ul>
      )}
      <ListFoot listing={listing} />
      <div class="row">
        {others && (
          <button type="button" class="button" onClick={() => setAsking("others")}>
            {t("sessions.endOthers")}
          </button>
        )}
        <button type="button" class="button button--quiet" onClick={() => setAsking("all")}>
          {t("sessions.endAll")}
        </button>
      </div>
      {asking && (
        <Confirm
          title={t(asking === "all" ? "sessions.endAllTitle" : "sessions.endOthersTitle")}
          verb={t(asking === "all" ? "sessions.endAll" : "sessions.endOthers")}
          onConfirm={() => (asking === "all" ? session.leave(() => endAllSessions(api)) : endOtherSessions(api))}
          onClose={close}
        >
          <p>{t(asking === "all" ? "sessions.endAllText" : "sessions.endOthersText")}</p>
        </Confirm>
      )}
    </Section>
  );
}

function Row({ row, onEnd }: { readonly row: OwnSession; readonly onEnd: () => void }) {
  const device = deviceName(row.device);
  return (
    <li class="item" data-testid="session">
      <Icon name="device" />
      <div class="item__main">
        <span class="item__title">
          {device} {row.current && <Pill tone="good">{t("sessions.current")}</Pill>}
        </span>
        <span class="item__sub">{placeName(row.place)}</span>
        <span class="item__sub">
          {t("sessions.lastActive")}{" "}
          <time dateTime={row.lastActivityTime} title={exact(row.lastActivityTime)}>
            {ago(row.lastActivityTime)}
          </time>
          {" · "}
          {t("sessions.since")} <Time at={row.createTime} />
        </span>
      </div>
      {!row.current && (
        <div class="item__actions">
          <button
            type="button"
            class="button button--small"
            aria-label={t("sessions.endName", { device })}
            onClick={onEnd}
          >
            {t("sessions.end")}
          </button>
        </div>
      )}
    </li>
  );
}
