/** The archive holds every page of every part, each receipt once, and files under names that are safe anywhere. */
import { describe, expect, it } from "vitest";
import { Api } from "../src/api.ts";
import { entries, joined, makeArchive, namesIn, type Progress } from "../src/archive.ts";
import { FakeResponse, FakeServer, refusal, type Seen } from "./fakes.ts";

const file = (fileId: string, displayName: string) => ({ fileId, displayName, createTime: "2026-01-01T12:00:00Z" });

/** A server with two pages of activity, and two files of which one is deleted meanwhile. */
function server() {
  const pages: Record<string, unknown> = {
    "": { activities: [{ activity: { event: { eventId: "evt_2" } }, receipt: "proof 2" }], nextPageToken: "more" },
    more: { activities: [{ activity: { event: { eventId: "evt_1" } } }] },
  };
  return new FakeServer({
    "GET /v1/account:export": { account: { email: "astrid@example.se" } },
    "GET /v1/billing:export": { cards: [] },
    "GET /v1/activity:export": (seen: Seen) => pages[new URLSearchParams(seen.query).get("pageToken") ?? ""],
    "GET /v1/files:export": { files: [file("fil_1", "a.txt"), file("fil_2", "b.txt")] },
    "GET /v1/files/fil_1/content": new FakeResponse(200, "one"),
    "GET /v1/files/fil_2/content": refusal(404, "FILE_NOT_FOUND"),
  });
}

const going = (progress: (progress: Progress) => void = () => {}) => ({
  readme: "read me",
  signal: new AbortController().signal,
  progress,
});

async function read(fake: FakeServer, progress?: (progress: Progress) => void) {
  const found = new Map<string, unknown>();
  for await (const entry of entries(new Api(fake.fetch), going(progress))) found.set(entry.name, entry.input);
  return found;
}

describe("the archive", () => {
  it("holds each part, whole, and each receipt as a file of its own", async () => {
    const found = await read(server());
    expect([...found.keys()]).toEqual([
      "README.txt",
      "account.json",
      "billing.json",
      "activity.json",
      "receipts/evt_2.txt",
      "files.json",
      "files/a.txt",
    ]);
    expect(JSON.parse(String(found.get("activity.json")))).toEqual({
      activities: [{ event: { eventId: "evt_2" } }, { event: { eventId: "evt_1" } }],
    });
    expect(found.get("receipts/evt_2.txt")).toBe("proof 2");
  });

  it("tells how far it is", async () => {
    const told: Progress[] = [];
    await read(server(), (progress) => told.push(progress));
    expect(told.map(({ done, total }) => `${done}/${total}`)).toEqual(["0/undefined", "0/2", "1/2", "2/2"]);
  });

  it("is not made when a part of it cannot be had", async () => {
    const fake = server();
    fake.table["GET /v1/files/fil_2/content"] = refusal(500, "INTERNAL");
    await expect(makeArchive(new Api(fake.fetch), going())).rejects.toThrow("INTERNAL");
  });

  it("is not gone on with by who stops it", async () => {
    const stop = new AbortController();
    const fake = server();
    const options = { ...going(), signal: stop.signal, progress: () => stop.abort() };
    await expect(makeArchive(new Api(fake.fetch), options)).rejects.toThrow();
    expect(fake.seen).toEqual([]);
  });

  it("is a zip", async () => {
    const blob = await makeArchive(new Api(server().fetch), going());
    const bytes = new Uint8Array(await blob.arrayBuffer());
    expect([...bytes.slice(0, 4)]).toEqual([0x50, 0x4b, 3, 4]);
  });
});

describe("the names of files in it", () => {
  it.each([
    [["a.txt", "a.txt", "A.TXT"], ["f/a.txt", "f/a (2).txt", "f/A (3).TXT"]],
    [["../../etc/passwd"], ["f/_.._etc_passwd"]],
    [["..", ".", ""], ["f/_", "f/_ (2)", "f/_ (3)"]],
    [["C:\\x\u0000y."], ["f/C__x_y"]],
    [["räksmörgås 🦐.png"], ["f/räksmörgås 🦐.png"]],
  ])("%j are %j", (wanted, names) => {
    expect(namesIn("f", wanted)).toEqual(names);
  });
});

describe("pages of a part", () => {
  it("are put together list by list", () => {
    expect(joined({ account: 1, sessions: [1] }, { sessions: [2], devices: [3] })).toEqual({
      account: 1,
      sessions: [1, 2],
      devices: [3],
    });
  });
});
