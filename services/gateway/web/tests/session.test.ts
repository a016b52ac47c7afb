/** The countdown follows the server's clock, asks seldom, and hides everything at the end. */
import { describe, expect, it } from "vitest";
import { Api } from "../src/api.ts";
import { SessionKeeper } from "../src/session.ts";
import { FakeServer, FakeSurroundings, refusal, sessionFor, settle } from "./fakes.ts";

const START = Date.parse("2026-01-01T12:00:00Z");
const SERVER_AHEAD = 3_600_000;
const ASK = "GET /v1/session";

/** A keeper whose server's clock is an hour ahead, and whose session ends after so many seconds. */
async function signedIn(seconds = 1800) {
  const around = new FakeSurroundings(START);
  let ends = START + SERVER_AHEAD + seconds * 1000;
  const answer = () => {
    const now = around.now() + SERVER_AHEAD;
    return now >= ends ? refusal(401, "SESSION_ENDED") : { session: sessionFor(now, (ends - now) / 1000) };
  };
  const server = new FakeServer({
    [ASK]: answer,
    "POST /v1/session:extend": () => {
      ends = around.now() + SERVER_AHEAD + 1_800_000;
      return answer();
    },
    "POST /v1/session:signOut": {},
    "GET /v1/files": {},
  });
  const api = new Api(server.fetch);
  const keeper = new SessionKeeper(api, around);
  await keeper.refresh();
  return { around, server, api, keeper, renew: (more: number) => (ends += more * 1000) };
}

describe("the session", () => {
  it("is nobody's when the server says so, without calling that an end", async () => {
    const around = new FakeSurroundings(START);
    const keeper = new SessionKeeper(new Api(new FakeServer({ [ASK]: refusal(401, "UNAUTHENTICATED") }).fetch), around);
    await keeper.refresh();
    expect(keeper.state.value).toEqual({ kind: "out", why: "none" });
  });

  it("is not called ended when the server cannot be asked", async () => {
    const around = new FakeSurroundings(START);
    const keeper = new SessionKeeper(new Api(new FakeServer({}).fetch), around);
    await keeper.refresh();
    expect(keeper.state.value).toEqual({ kind: "out", why: "unknown" });
    expect(around.told).toEqual([]);
  });

  it("counts down by the server's clock, whatever the local one says", async () => {
    const { keeper, around } = await signedIn(1800);
    expect(keeper.remaining.value).toBe(1800);
    await around.pass(61);
    expect(keeper.remaining.value).toBe(1739);
  });

  it("never polls: half an hour of nothing asks twice, at the warning and at the end", async () => {
    const { keeper, around, server } = await signedIn(1800);
    await around.pass(1800);
    expect(server.count(ASK)).toBe(3);
    expect(keeper.state.value).toEqual({ kind: "out", why: "ended" });
  });

  it("warns two minutes before the end", async () => {
    const { keeper, around } = await signedIn(1800);
    await around.pass(1679);
    expect(keeper.warning.value).toBe(false);
    await around.pass(1);
    expect(keeper.warning.value).toBe(true);
  });

  it("asks again after activity, at most each 30 seconds, however much there is", async () => {
    const { api, around, server, keeper, renew } = await signedIn(1800);
    for (let second = 0; second < 60; second += 1) {
      await api.call("GET", "/v1/files");
      await around.pass(1);
    }
    expect(server.count(ASK)).toBe(1 + 2);
    renew(60);
    await api.call("GET", "/v1/files");
    await around.pass(31);
    expect(keeper.remaining.value).toBe(1800 + 60 - 91);
  });

  it("is hidden at its end before the server is asked", async () => {
    const { keeper, around } = await signedIn(10);
    around.sleep(11);
    keeper.tick();
    expect(keeper.state.value.kind).toBe("asking");
    await settle();
    expect(keeper.state.value).toEqual({ kind: "out", why: "ended" });
    expect(around.told.at(-1)).toBeNull();
  });

  it("goes on when another tab stayed signed in", async () => {
    const { keeper, around, renew } = await signedIn(10);
    renew(1800);
    around.sleep(11);
    keeper.tick();
    await settle();
    expect(keeper.state.value.kind).toBe("in");
    expect(keeper.remaining.value).toBe(1799);
  });

  it("can be extended, which the answer alone tells", async () => {
    const { keeper, around, server } = await signedIn(100);
    await keeper.extend();
    expect(keeper.remaining.value).toBe(1800);
    await around.pass(40);
    expect(server.count(ASK)).toBe(1);
  });

  it("is left when the server has ended it, and not before", async () => {
    const { keeper, server } = await signedIn();
    delete server.table["POST /v1/session:signOut"];
    await expect(keeper.leave()).rejects.toThrow();
    expect(keeper.state.value.kind).toBe("in");
    server.table["POST /v1/session:signOut"] = {};
    await keeper.leave();
    expect(keeper.state.value).toEqual({ kind: "out", why: "left" });
  });

  it("ends with a call that is refused", async () => {
    const { keeper, api, server } = await signedIn();
    server.table["GET /v1/files"] = refusal(401, "SESSION_ENDED");
    await expect(api.call("GET", "/v1/files")).rejects.toThrow();
    expect(keeper.state.value).toEqual({ kind: "out", why: "ended" });
  });

  it("hears from other tabs: a new end, a sign-out, another account", async () => {
    const { keeper } = await signedIn(100);
    const ends = new Date(START + SERVER_AHEAD + 900_000).toISOString();
    expect(keeper.hear({ account: "usr_1", ends })).toBe(true);
    expect(keeper.remaining.value).toBe(900);
    expect(keeper.hear({ account: "usr_2", ends })).toBe(false);
    expect(keeper.hear(null)).toBe(true);
    expect(keeper.state.value).toEqual({ kind: "out", why: "left" });
  });

  it("tells other tabs no more than an opaque id and a time", async () => {
    const { around } = await signedIn(100);
    expect(Object.keys(around.told[0] ?? {})).toEqual(["account", "ends"]);
    expect(JSON.stringify(around.told)).not.toContain("@");
  });
});
