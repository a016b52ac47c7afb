/** The activity is narrowed by what a person chooses, and taken along as it is shown. */
import { act } from "preact/test-utils";
import { describe, expect, it } from "vitest";
import { EVERYTHING, narrows, queryOf } from "../src/activity-filter.ts";
import { Api } from "../src/api.ts";
import { makeDownload, receipts } from "../src/downloads.ts";
import { actions } from "../src/events.ts";
import { ActivityPage } from "../src/pages/activity.tsx";
import { FakeResponse, FakeServer, refusal, type Seen, settle } from "./fakes.ts";
import { alerts, onAPage, press, root, START, show, submit, type, words } from "./showing.tsx";

onAPage();

const event = { eventId: "evt_1", time: new Date(START).toISOString(), outcome: "OUTCOME_SUCCESS", action: "files.file.delete" };
const asked = (seen: Seen | undefined) => Object.fromEntries(new URLSearchParams(seen?.query));
const lists = (server: FakeServer) => server.seen.filter(({ path }) => path === "/v1/activity");

async function choose(label: string, value: string): Promise<void> {
  const found = [...root.querySelectorAll("label")].find((element) => element.textContent === label);
  const select = document.getElementById(found?.htmlFor ?? "") as HTMLSelectElement;
  select.value = value;
  await act(() => void select.dispatchEvent(new Event("change", { bubbles: true })));
}

/** A page of a download: text as it is, and the header that leads on. */
class Page extends FakeResponse {
  constructor(
    private readonly raw: string,
    next = "",
  ) {
    super(200, raw);
    if (next) this.headers.set("valv-next-page-token", next);
  }

  override async text(): Promise<string> {
    return this.raw;
  }
}

describe("the filter", () => {
  it("asks for everything at first, and for an area, an action and days as the server has them", () => {
    expect(narrows(EVERYTHING)).toBe(false);
    expect(queryOf(EVERYTHING)).toEqual({});
    expect(queryOf({ ...EVERYTHING, what: "files.*", who: "KIND_OPERATOR" })).toEqual({ area: "files", actorKind: "KIND_OPERATOR" });
    const day = queryOf({ ...EVERYTHING, what: "files.file.delete", object: " fil_1 ", from: "2026-02-28", to: "2026-02-28" });
    expect(day).toMatchObject({ action: "files.file.delete", object: "fil_1", fromTime: new Date("2026-02-28T00:00:00").toISOString() });
    expect(Date.parse(String(day["toTime"])) - Date.parse(String(day["fromTime"]))).toBe(24 * 3600_000);
  });

  it("offers the actions that may be about the reader, and no other", () => {
    expect(actions()).toContain("audit.operator.read");
    expect(actions()).not.toContain("audit.operator.search");
  });

  it("shows what answers, says how much it is, and goes on within it", async () => {
    const pages: Record<string, unknown> = {
      "": { activities: [{ event, producer: "files" }], nextPageToken: "more" },
      more: { activities: [{ event: { ...event, eventId: "evt_0" }, producer: "files" }] },
    };
    const { server } = await show(ActivityPage, { "GET /v1/activity": (seen: Seen) => pages[asked(seen)["pageToken"] ?? ""] }, true);
    expect(asked(lists(server)[0])).toEqual({ pageSize: "25" });
    await choose("What happened", "files.*");
    await choose("How it ended", "OUTCOME_SUCCESS");
    await submit();
    expect(asked(lists(server)[1])).toEqual({ pageSize: "25", area: "files", outcome: "OUTCOME_SUCCESS" });
    expect(root.querySelector(".found")?.textContent).toBe("1 event shown.");
    await press("Show more");
    expect(asked(lists(server)[2])).toEqual({ pageSize: "25", area: "files", outcome: "OUTCOME_SUCCESS", pageToken: "more" });
    expect(root.querySelector(".found")?.textContent).toBe("2 events shown.");
    await press("Show everything");
    expect(asked(lists(server)[3])).toEqual({ pageSize: "25" });
    expect(root.querySelector(".found")?.textContent).toBe("");
  });

  it("looks a little further by itself while nothing answers, then says so and asks", async () => {
    const { server } = await show(ActivityPage, { "GET /v1/activity": { nextPageToken: "more" } }, true);
    await choose("Who did it", "KIND_OPERATOR");
    await submit();
    await act(settle);
    expect(lists(server).filter((seen) => asked(seen)["actorKind"]).length).toBe(4);
    expect(words()).toContain("Nothing so far. There are older events to look through.");
    server.table["GET /v1/activity"] = {};
    await press("Show more");
    expect(words()).toContain("Nothing answers the filter.");
  });

  it("says that filters do not work yet while events are being put in order", async () => {
    const { server } = await show(ActivityPage, { "GET /v1/activity": {} }, true);
    server.table["GET /v1/activity"] = refusal(503, "INDEX_INCOMPLETE");
    await type("Object", "fil_1");
    await submit();
    expect(alerts()).toContain("filters do not work yet");
  });
});

const going = (format: "FORMAT_CSV" | "FORMAT_JSONL" | "FORMAT_RECEIPTS", progress: (events: number) => void = () => {}) => ({
  format,
  filter: { ...EVERYTHING, what: "files.*" },
  readme: "read me",
  signal: new AbortController().signal,
  progress,
});

/** A server with two pages, and what it answers for each. */
const served = (first: string, second: string) =>
  new FakeServer({ "GET /v1/activity:download": (seen: Seen) => (asked(seen)["pageToken"] ? new Page(second) : new Page(first, "more")) });

describe("a download", () => {
  it("is the pages one after the other, of what the filter shows", async () => {
    const server = served("index,event_id\r\n2,evt_2\r\n", "1,evt_1\r\n");
    const counts: number[] = [];
    const made = await makeDownload(new Api(server.fetch), going("FORMAT_CSV", (count) => counts.push(count)));
    expect(await made.text()).toBe("index,event_id\r\n2,evt_2\r\n1,evt_1\r\n");
    expect(counts).toEqual([1, 2]);
    expect(server.seen.map(asked)).toEqual([
      { format: "FORMAT_CSV", area: "files" },
      { format: "FORMAT_CSV", area: "files", pageToken: "more" },
    ]);
  });

  it("has each receipt as a file of its own, and the events without them beside", async () => {
    const server = served('{"index":2,"event_id":"evt_2","receipt":"proof 2"}\n', '{"index":1,"event_id":"evt_1"}\n');
    const found: Record<string, unknown> = {};
    for await (const entry of receipts(new Api(server.fetch), going("FORMAT_RECEIPTS"))) found[entry.name] = entry.input;
    expect(found).toEqual({
      "README.txt": "read me",
      "receipts/evt_2.txt": "proof 2",
      "activity.jsonl": '{"index":2,"event_id":"evt_2"}\n{"index":1,"event_id":"evt_1"}\n',
    });
  });

  it("leaves nothing behind when a page does not come", async () => {
    const server = served("index\r\n", "");
    server.table["GET /v1/activity:download"] = (seen: Seen) =>
      asked(seen)["pageToken"] ? refusal(401, "SESSION_ENDED") : new Page("index\r\n", "more");
    await expect(makeDownload(new Api(server.fetch), going("FORMAT_JSONL"))).rejects.toMatchObject({ reason: "SESSION_ENDED" });
  });

  it("is told while it is made, and can be stopped", async () => {
    let answer: (page: Page) => void = () => {};
    const waiting = new Promise<Page>((resolve) => (answer = resolve));
    const { server } = await show(
      ActivityPage,
      { "GET /v1/activity": { activities: [{ event, producer: "files" }] }, "GET /v1/activity:download": () => waiting },
      true,
    );
    await press("CSV");
    await press("JSONL");
    expect(server.count("GET /v1/activity:download")).toBe(1);
    expect(words()).toContain("0 events so far…");
    await press("Stop");
    answer(new Page("index\r\n", "more"));
    await act(settle);
    expect(server.count("GET /v1/activity:download")).toBe(1);
    expect(alerts()).toBe("");
  });
});
