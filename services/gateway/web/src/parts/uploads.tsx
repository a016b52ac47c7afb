/**
 * Owns choosing and dropping files, and showing what becomes of them. Must
 * never send anything itself: the queue does.
 */
import { useId, useState } from "preact/hooks";
import { number, size } from "../format.ts";
import { t } from "../language.ts";
import { tell } from "../problems.ts";
import type { Job } from "../uploads.ts";
import { useValv } from "../valv.ts";
import { Icon } from "./marks.tsx";

/** The place to drop files on, the button, and the queue. */
export function Uploads() {
  const queue = useValv().uploads;
  const jobs = queue.jobs.value;
  const [over, setOver] = useState(false);
  const id = useId();
  const dropped = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    queue.add(event.dataTransfer?.files ?? []);
  };
  return (
    <section
      class={over ? "drop drop--over" : "drop"}
      aria-label={t("uploads.label")}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={dropped}
    >
      <div class="drop__call">
        <Icon name="upload" />
        <p>{t("uploads.drop")}</p>
        <input
          id={id}
          class="drop__input"
          type="file"
          multiple
          onChange={(event) => {
            queue.add(event.currentTarget.files ?? []);
            event.currentTarget.value = "";
          }}
        />
        <label class="button button--main" for={id}>
          {t("uploads.choose")}
        </label>
      </div>
      {jobs.length > 0 && (
        <ul class="jobs" aria-label={t("uploads.queue")}>
          {jobs.map((job) => (
            <JobRow key={job.id} job={job} onStop={() => queue.stop(job)} />
          ))}
        </ul>
      )}
      <Announcement jobs={jobs} />
    </section>
  );
}

function JobRow({ job, onStop }: { readonly job: Job; readonly onStop: () => void }) {
  const name = job.file.name;
  const underWay = job.stage === "waiting" || job.stage === "sending";
  return (
    <li class={`job job--${job.stage}`} data-testid="upload">
      <bdi class="job__name">{name}</bdi>
      <span class="job__state">{stateOf(job)}</span>
      {job.stage === "sending" && (
        <progress max={1} value={job.part} aria-label={t("uploads.progress", { name })} />
      )}
      {underWay && (
        <button
          type="button"
          class="button button--small button--quiet"
          aria-label={t("uploads.stopName", { name })}
          onClick={onStop}
        >
          {t("uploads.stop")}
        </button>
      )}
    </li>
  );
}

function stateOf(job: Job): string {
  switch (job.stage) {
    case "waiting":
      return t("uploads.waiting");
    case "sending":
      if (job.part >= 1) return t("uploads.sealing");
      return t("uploads.sending", { percent: number(Math.floor(job.part * 100)), size: size(job.file.size) });
    case "stored":
      return t("uploads.stored");
    case "stopped":
      return t("uploads.stopped");
    case "failed": {
      const { sentence, requestId } = tell(job.error, "upload");
      return requestId ? `${sentence} ${t("problem.requestId")} ${requestId}` : sentence;
    }
  }
}

/** Tells screen readers what became of each file, once. */
function Announcement({ jobs }: { readonly jobs: readonly Job[] }) {
  const ended = jobs.findLast((job) => job.stage === "stored" || job.stage === "failed");
  return (
    <p class="visually-hidden" role="status">
      {ended && `${ended.file.name}: ${stateOf(ended)}`}
    </p>
  );
}
