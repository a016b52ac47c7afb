/**
 * Owns choosing, dropping and sending files: one after another, so that one
 * slow line carries one file at a time. Must never read a file's bytes.
 */
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { ApiError } from "../api.ts";
import { number, size } from "../format.ts";
import { t } from "../language.ts";
import { tell } from "../problems.ts";
import { CANCELLED, send } from "../upload.ts";
import { useValv } from "../valv.ts";
import { Icon } from "./marks.tsx";

type Stage = "waiting" | "sending" | "stored" | "stopped" | "failed";

interface Job {
  readonly id: number;
  readonly file: File;
  readonly stage: Stage;
  readonly part: number;
  readonly error?: unknown;
}

let lastId = 0;

/** The queue of one page: what is sent, what waits, what became of the rest. */
function useQueue(onStored: () => void) {
  const { api } = useValv();
  const [jobs, setJobs] = useState<readonly Job[]>([]);
  const cancel = useRef<{ readonly id: number; readonly stop: () => void } | undefined>(undefined);
  const change = (id: number, to: Partial<Job>) =>
    setJobs((all) => all.map((job) => (job.id === id ? { ...job, ...to } : job)));

  const next = jobs.some((job) => job.stage === "sending") ? undefined : jobs.find((job) => job.stage === "waiting");
  useEffect(() => {
    if (!next) return;
    const upload = send(next.file, (part) => change(next.id, { part }));
    cancel.current = { id: next.id, stop: upload.cancel };
    change(next.id, { stage: "sending" });
    upload.done.then(
      () => {
        change(next.id, { stage: "stored", part: 1 });
        api.touched();
        onStored();
      },
      (error: unknown) => {
        const stopped = error instanceof ApiError && error.reason === CANCELLED;
        change(next.id, stopped ? { stage: "stopped" } : { stage: "failed", error });
        if (error instanceof ApiError) api.noticed(error);
      },
    );
  }, [next?.id]);
  // Leaving the page stops what is being sent: nothing goes on out of sight.
  useEffect(() => () => cancel.current?.stop(), []);

  return {
    jobs,
    add: (files: Iterable<File>) => {
      const added = [...files].map((file): Job => ({ id: ++lastId, file, stage: "waiting", part: 0 }));
      setJobs((all) => [...all.filter((job) => job.stage === "waiting" || job.stage === "sending"), ...added]);
    },
    stop: (job: Job) => (job.id === cancel.current?.id ? cancel.current.stop() : change(job.id, { stage: "stopped" })),
  };
}

/** The place to drop files on, the button, and the queue. */
export function Uploads({ onStored }: { readonly onStored: () => void }) {
  const queue = useQueue(onStored);
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
      {queue.jobs.length > 0 && (
        <ul class="jobs" aria-label={t("uploads.queue")}>
          {queue.jobs.map((job) => (
            <JobRow key={job.id} job={job} onStop={() => queue.stop(job)} />
          ))}
        </ul>
      )}
      <Announcement jobs={queue.jobs} />
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
