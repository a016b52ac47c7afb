/**
 * Owns taking one's data along: making the archive here, showing how far it
 * is, and handing it over. Must never leave one half made behind.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import { makeArchive, type Progress } from "../../archive.ts";
import { exact, number } from "../../format.ts";
import { t } from "../../language.ts";
import { Problem } from "../../parts/notice.tsx";
import { Section } from "../../parts/section.tsx";
import { useTask } from "../../parts/task.ts";
import { saveBlob } from "../../save.ts";
import { useValv } from "../../valv.ts";

/** The export. */
export function ExportSection() {
  const { api, session } = useValv();
  const [progress, setProgress] = useState<Progress>();
  const [said, setSaid] = useState("");
  const stop = useRef<AbortController | undefined>(undefined);
  const task = useTask();
  // Nobody waits for an archive on a page that is gone.
  useEffect(() => () => stop.current?.abort(), []);
  const email = session.state.value.kind === "in" ? session.state.value.session.email : "";
  const make = async () => {
    const { signal } = (stop.current = new AbortController());
    const now = new Date().toISOString();
    setSaid("");
    await task.run(async () => {
      try {
        const readme = t("data.readme", { email, time: exact(now) });
        saveBlob(await makeArchive(api, { readme, signal, progress: setProgress }), `valv-${now.slice(0, 10)}.zip`);
        setSaid(t("data.exported"));
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    });
    setProgress(undefined);
  };
  return (
    <Section title={t("data.export")} said={said}>
      <p class="quiet">{t("data.exportText")}</p>
      <Problem error={task.error} />
      {task.busy ? (
        <>
          {progress && <Bar progress={progress} />}
          <button type="button" class="button" onClick={() => stop.current?.abort()}>
            {t("data.stop")}
          </button>
        </>
      ) : (
        <button type="button" class="button" onClick={() => void make()}>
          {t("data.make")}
        </button>
      )}
    </Section>
  );
}

function Bar({ progress }: { readonly progress: Progress }) {
  const { done, total } = progress;
  return (
    <div class="quota">
      <progress aria-label={t("data.making")} {...(total !== undefined && { max: Math.max(1, total), value: done })} />
      <p class="small quiet">
        {total === undefined ? t("data.gathering") : t("data.progress", { done: number(done), total: number(total) })}
      </p>
    </div>
  );
}
