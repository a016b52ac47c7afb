/** Errors are understood whoever wrote them; the session hears of every call. */
import { describe, expect, it, vi } from "vitest";
import { Api, ApiError, errorOf, UNREACHABLE } from "../src/api.ts";
import { FakeServer, refusal } from "./fakes.ts";

function listening(table: Record<string, unknown>) {
  const server = new FakeServer(table);
  const api = new Api(server.fetch);
  const listener = { active: vi.fn(), signedOut: vi.fn() };
  api.listen(listener);
  return { api, listener, server };
}

/** Answers after so many broken connections. */
function breaks(times: number) {
  let left = times;
  return () => {
    if (left-- > 0) throw new TypeError("network changed");
    return { done: true };
  };
}

describe("an error", () => {
  it("carries reason, request id, waiting time and fields", () => {
    const body = JSON.stringify({
      code: 8,
      details: [
        { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "THROTTLED", metadata: { request_id: "r1" } },
        { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "1.2s" },
        { "@type": "type.googleapis.com/google.rpc.BadRequest", fieldViolations: [{ field: "email", description: "d" }] },
      ],
    });
    expect(errorOf(429, () => null, body)).toMatchObject({
      status: 429,
      reason: "THROTTLED",
      requestId: "r1",
      retryAfter: 2,
      violations: [{ field: "email", description: "d" }],
    });
  });

  it("is understood from its headers when the body is not ours", () => {
    const header = (name: string) => ({ "retry-after": "30", "x-request-id": "r2" })[name] ?? null;
    expect(errorOf(503, header, "<html>")).toMatchObject({ status: 503, reason: "", requestId: "r2", retryAfter: 30 });
  });

  it.each(["", "null", "[]", '{"details":null}', '{"details":{}}'])("survives the body %j", (body) => {
    expect(errorOf(500, () => null, body)).toBeInstanceOf(ApiError);
  });
});

describe("a call", () => {
  it("tells the session of activity", async () => {
    const { api, listener } = listening({ "GET /v1/files": {} });
    await api.call("GET", "/v1/files");
    expect(listener.active).toHaveBeenCalledOnce();
  });

  it("tells nothing when it is passive", async () => {
    const { api, listener } = listening({ "GET /v1/session": {} });
    await api.call("GET", "/v1/session", { passive: true });
    expect(listener.active).not.toHaveBeenCalled();
  });

  it("reads once more when its connection breaks", async () => {
    const { api, server } = listening({ "GET /v1/files": breaks(1) });
    await expect(api.call("GET", "/v1/files")).resolves.toEqual({ done: true });
    expect(server.count("GET /v1/files")).toBe(2);
  });

  it.each([
    ["a read whose connection breaks again", "GET", 2],
    ["a change, which may have happened", "POST", 1],
  ] as const)("gives up %s", async (_what, method, times) => {
    const { api, server } = listening({ [`${method} /v1/files`]: breaks(times) });
    await expect(api.call(method, "/v1/files")).rejects.toMatchObject({ status: 0, reason: UNREACHABLE });
    expect(server.count(`${method} /v1/files`)).toBe(times);
  });

  it("does not read again what took too long", async () => {
    const { api, server } = listening({
      "GET /v1/files": () => {
        throw new DOMException("", "TimeoutError");
      },
    });
    await expect(api.call("GET", "/v1/files")).rejects.toMatchObject({ reason: UNREACHABLE });
    expect(server.count("GET /v1/files")).toBe(1);
  });

  it("tells the session that it has ended", async () => {
    const { api, listener } = listening({ "GET /v1/files": refusal(401, "SESSION_ENDED") });
    await expect(api.call("GET", "/v1/files")).rejects.toMatchObject({ reason: "SESSION_ENDED" });
    expect(listener.signedOut).toHaveBeenCalledOnce();
  });

  it("keeps wrong credentials, and a sign-in that is too old, from ending a session", async () => {
    const { api, listener } = listening({
      "POST /v1/session:signIn": refusal(401, "BAD_CREDENTIALS"),
      "POST /v1/cards": refusal(401, "REAUTHENTICATE"),
    });
    await expect(api.call("POST", "/v1/session:signIn", { anonymous: true, body: {} })).rejects.toThrow();
    await expect(api.call("POST", "/v1/cards", { body: {} })).rejects.toThrow();
    expect(listener.signedOut).not.toHaveBeenCalled();
  });

  it("that reaches nobody says so", async () => {
    const { api } = listening({});
    await expect(api.call("GET", "/v1/files")).rejects.toMatchObject({ status: 0, reason: "UNREACHABLE" });
  });
});
