/**
 * Owns taking along what the activity shows: as a table, as lines, or as
 * receipts. Must never begin a second download while one is under way.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Filter } from "../activity-filter.ts";
import type { DownloadFormat } from "../calls.ts";
import { ENDINGS, makeDownload } from "../downloads.ts";
import { exact } from "../format.ts";
import { type Key, plural, t } from "../language.ts";
import { Problem } from "../parts/notice.tsx";
import { useTask } from "../parts/task.ts";
import { saveBlob } from "../save.ts";
import { useValv } from "../valv.ts";

const FORMATS: readonly (readonly [DownloadFormat, Key])[] = [
  ["FORMAT_CSV", "download.csv"],
  ["FORMAT_JSONL", "download.jsonl"],
  ["FORMAT_RECEIPTS", "download.receipts"],
];

/** The buttons; they take along what `filter` shows. */
export function DownloadBar({ filter }: { readonly filter: Filter }) {
  const { api } = useValv();
  const [events, setEvents] = useState(0);
  const [said, setSaid] = useState("");
  const stop = useRef<AbortController | undefined>(undefined);
  const task = useTask();
  useEffect(() => () => stop.current?.abort(), []);
  const make = async (format: DownloadFormat) => {
    const now = new Date().toISOString();
    await task.run(async () => {
      const { signal } = (stop.current = new AbortController());
      setSaid("");
      setEvents(0);
      try {
        const readme = t("download.readme", { time: exact(now) });
        const made = await makeDownload(api, { format, filter, readme, signal, progress: setEvents });
        saveBlob(made, `valv-activity-${now.slice(0, 10)}.${ENDINGS[format]}`);
        setSaid(t("download.done"));
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    });
  };
  return (
    <div class="downloads" role="group" aria-label={t("download.title")}>
      <span class="quiet small">{t("download.title")}</span>
      {FORMATS.map(([format, name]) => (
        <button type="button" key={format} class="button button--small" aria-disabled={task.busy} onClick={() => void make(format)}>
          {t(name)}
        </button>
      ))}
      {task.busy && (
        <button type="button" class="button button--small button--quiet" onClick={() => stop.current?.abort()}>
          {t("data.stop")}
        </button>
      )}
      <span class="quiet small" role="status">
        {task.busy ? plural("download.progress", events) : said}
      </span>
      <Problem error={task.error} />
    </div>
  );
}
