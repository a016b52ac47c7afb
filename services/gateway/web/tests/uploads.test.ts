/** Files go one at a time, outlive the page, and stop with the session. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import { Api, ApiError } from "../src/api.ts";
import { SessionKeeper } from "../src/session.ts";
import { CANCELLED } from "../src/upload.ts";
import { UploadQueue } from "../src/uploads.ts";
import { FakeServer, FakeSurroundings, sessionFor, settle } from "./fakes.ts";

const START = Date.parse("2026-01-01T12:00:00Z");

interface Sent {
  readonly name: string;
  readonly progress: (part: number) => void;
  readonly succeed: () => void;
  readonly fail: (error: unknown) => void;
}

let sent: Sent[];
let api: Api;
let session: SessionKeeper;
let queue: UploadQueue;

const stages = () => queue.jobs.value.map((job) => `${job.file.name} ${job.stage}`);
const files = (...names: string[]) => names.map((name) => new File(["x"], name));

beforeEach(async () => {
  sent = [];
  const server = new FakeServer({ "GET /v1/session": { session: sessionFor(START, 1800) }, "POST /v1/session:signOut": {} });
  api = new Api(server.fetch);
  session = new SessionKeeper(api, new FakeSurroundings(START));
  await session.refresh();
  const send = (file: File, progress: (part: number) => void) => {
    let fail: (error: unknown) => void = () => {};
    const done = new Promise<void>((resolve, reject) => {
      fail = reject;
      sent.push({ name: file.name, progress, succeed: resolve, fail: reject });
    });
    return { done, cancel: () => fail(new ApiError(0, CANCELLED)) };
  };
  queue = new UploadQueue(api, send, session);
});

describe("the upload queue", () => {
  it("sends one file at a time, in order", async () => {
    queue.add(files("a", "b"));
    expect(stages()).toEqual(["a sending", "b waiting"]);
    sent[0]?.succeed();
    await settle();
    expect(stages()).toEqual(["a stored", "b sending"]);
    expect(queue.stored.value).toBe(1);
  });

  it("goes on after a file that failed or was stopped", async () => {
    queue.add(files("a", "b", "c"));
    sent[0]?.fail(new ApiError(429, "QUOTA_EXCEEDED"));
    await settle();
    queue.stop(queue.jobs.value[1] ?? expect.fail());
    await settle();
    expect(stages()).toEqual(["a failed", "b stopped", "c sending"]);
    expect(queue.active.value).toBe(true);
  });

  it("never sends what was stopped while it waited", async () => {
    queue.add(files("a", "b"));
    queue.stop(queue.jobs.value[1] ?? expect.fail());
    sent[0]?.succeed();
    await settle();
    expect(sent.map((one) => one.name)).toEqual(["a"]);
    expect(queue.active.value).toBe(false);
  });

  it("forgets what is done with when more is added", async () => {
    queue.add(files("a"));
    sent[0]?.succeed();
    await settle();
    queue.add(files("b"));
    expect(stages()).toEqual(["b sending"]);
  });

  it("ends with the session, and sends nothing after it", async () => {
    queue.add(files("a", "b"));
    await session.leave();
    await settle();
    expect(stages()).toEqual([]);
    expect(sent.map((one) => one.name)).toEqual(["a"]);
  });

  it("tells the session that it has ended", async () => {
    const noticed = vi.spyOn(api, "noticed");
    queue.add(files("a"));
    sent[0]?.fail(new ApiError(401, "SESSION_ENDED"));
    await settle();
    expect(noticed).toHaveBeenCalledOnce();
    expect(session.state.value).toEqual({ kind: "out", why: "ended" });
  });
});
