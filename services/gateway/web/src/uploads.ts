/**
 * Owns the queue of files being sent: one after another, so that one slow line
 * carries one file at a time. It outlives the page that filled it, and stops
 * when the session does. Must never read a file's bytes.
 */
import { computed, effect, signal } from "@preact/signals";
import { type Api, ApiError } from "./api.ts";
import type { SessionKeeper } from "./session.ts";
import { CANCELLED, type Upload } from "./upload.ts";

/** How far a file has come. */
export type Stage = "waiting" | "sending" | "stored" | "stopped" | "failed";

/** One file in the queue. */
export interface Job {
  readonly id: number;
  readonly file: File;
  readonly stage: Stage;
  /** The part sent, 0 to 1. */
  readonly part: number;
  readonly error?: unknown;
}

/** Sends one file; `send` of upload.ts. */
export type Send = (file: File, progress: (part: number) => void) => Upload;

const underWay = (job: Job) => job.stage === "waiting" || job.stage === "sending";

/** Sends files and tells what became of them. */
export class UploadQueue {
  /** Every file since the last were added, oldest first. */
  readonly jobs = signal<readonly Job[]>([]);
  /** Something is being sent or waits. */
  readonly active = computed(() => this.jobs.value.some(underWay));
  /** Counts files stored, so that a list knows when to be read again. */
  readonly stored = signal(0);

  private lastId = 0;
  private current: Upload | undefined;

  constructor(
    private readonly api: Api,
    private readonly send: Send,
    session: SessionKeeper,
  ) {
    effect(() => {
      if (session.state.value.kind === "out") this.clear();
    });
  }

  /** Adds files at the end; those that are done with leave the list. */
  add(files: Iterable<File>): void {
    const added = [...files].map((file): Job => ({ id: ++this.lastId, file, stage: "waiting", part: 0 }));
    this.jobs.value = [...this.jobs.value.filter(underWay), ...added];
    this.next();
  }

  /** Stops a file that waits or is being sent. */
  stop(job: Job): void {
    if (job.stage === "sending") this.current?.cancel();
    else if (job.stage === "waiting") this.change(job.id, { stage: "stopped" });
  }

  private clear(): void {
    this.jobs.value = [];
    this.current?.cancel();
  }

  private next(): void {
    const job = this.current ? undefined : this.jobs.value.find((other) => other.stage === "waiting");
    if (!job) return;
    const upload = this.send(job.file, (part) => this.change(job.id, { part }));
    this.current = upload;
    this.change(job.id, { stage: "sending" });
    upload.done
      .then(() => this.succeeded(job), (error: unknown) => this.failed(job, error))
      .finally(() => {
        this.current = undefined;
        this.next();
      });
  }

  private succeeded(job: Job): void {
    this.change(job.id, { stage: "stored", part: 1 });
    this.stored.value += 1;
    this.api.touched();
  }

  private failed(job: Job, error: unknown): void {
    const stopped = error instanceof ApiError && error.reason === CANCELLED;
    this.change(job.id, stopped ? { stage: "stopped" } : { stage: "failed", error });
    if (error instanceof ApiError) this.api.noticed(error);
  }

  private change(id: number, to: Partial<Job>): void {
    this.jobs.value = this.jobs.value.map((job) => (job.id === id ? { ...job, ...to } : job));
  }
}
