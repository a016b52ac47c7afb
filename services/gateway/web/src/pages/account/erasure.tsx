/**
 * Owns ending one's account: what is erased and what is not, asking for it,
 * and taking it back while there is time. Must never call it done: by then
 * nobody is signed in to be told.
 */
import { useState } from "preact/hooks";
import { cancelErasure, getErasure, requestErasure } from "../../calls.account.ts";
import { moment } from "../../format.ts";
import { t } from "../../language.ts";
import { Confirm } from "../../parts/dialog.tsx";
import { Notice, Problem } from "../../parts/notice.tsx";
import { Waiting } from "../../parts/pages.tsx";
import { useReading } from "../../parts/reading.ts";
import { Section } from "../../parts/section.tsx";
import { useTask } from "../../parts/task.ts";
import { useValv } from "../../valv.ts";

/** Erasing the account. */
export function ErasureSection() {
  const { api } = useValv();
  const erasure = useReading(() => getErasure(api));
  const [asking, setAsking] = useState(false);
  const [said, setSaid] = useState("");
  const task = useTask();
  const asked = erasure.value?.erasure;
  const takeBack = async () => {
    setSaid("");
    if (await task.run(() => cancelErasure(api))) setSaid(t("erasure.takenBack"));
    void erasure.reload();
  };
  return (
    <Section title={t("erasure.title")} state={asked && ["bad", t("erasure.requested")]} said={said}>
      <Problem error={erasure.error} retry={() => void erasure.reload()} />
      <Problem error={task.error} />
      {!erasure.value && !erasure.error && <Waiting />}
      {asked && (
        <>
          <Notice tone="wait">{t("erasure.due", { time: moment(asked.dueTime) })}</Notice>
          <p class="quiet">{t("erasure.dueText")}</p>
          <button type="button" class="button button--main" aria-disabled={task.busy} onClick={() => void takeBack()}>
            {t("erasure.takeBack")}
          </button>
        </>
      )}
      {erasure.value && !asked && (
        <>
          <p class="quiet">{t("erasure.text")}</p>
          <button type="button" class="button" onClick={() => setAsking(true)}>
            {t("erasure.request")}
          </button>
        </>
      )}
      {asking && (
        <Confirm
          title={t("erasure.requestTitle")}
          verb={t("erasure.requestVerb")}
          onConfirm={() => requestErasure(api)}
          onClose={(done) => {
            setAsking(false);
            if (!done) return;
            setSaid("");
            void erasure.reload();
          }}
        >
          <p>{t("erasure.requestText")}</p>
          <p>{t("erasure.keptText")}</p>
        </Confirm>
      )}
    </Section>
  );
}
