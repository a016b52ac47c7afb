/** A call that wants a recent sign-in waits for the person to confirm that it is them, and is then made again. */
import { act } from "preact/test-utils";
import { afterEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "../src/api.ts";
import { refusal, sessionFor, settle } from "./fakes.ts";
import { alerts, besideField, onAPage, press, root, START, show, submit, type, withPasskeys } from "./showing.tsx";

const CALL = "POST /v1/sessions:endOthers";
const FACTORS = "GET /v1/factors";
const PROVE = "POST /v1/session:reauthenticate";
const Empty = () => null;

onAPage();

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

/** A server that wants a recent sign-in until there was one. */
async function asked(answer: unknown, factors: unknown = { hasPassword: true }) {
  const table = { [CALL]: refusal(401, "REAUTHENTICATE"), [PROVE]: answer, [FACTORS]: factors };
  const shown = await show(Empty, table, true);
  const outcome: { done?: unknown; error?: unknown } = {};
  const made = shown.api.call("POST", "/v1/sessions:endOthers", { body: {} });
  made.then(
    (done) => (outcome.done = done),
    (error: unknown) => (outcome.error = error),
  );
  await act(settle);
  await act(settle); // the dialog asks what the account has
  return { ...shown, outcome };
}

const fresh = { ...sessionFor(START, 1800), sessionId: "ses_2" };

describe("a call that wants a recent sign-in", () => {
  it("is made again once the password was right", async () => {
    const { server, outcome, session } = await asked({ session: fresh });
    expect(root.querySelector("dialog h2")?.textContent).toBe("Confirm that it is you");
    server.table[CALL] = { ended: 2 };
    await type("Password", "correct horse battery staple");
    await submit();
    expect(server.count(CALL)).toBe(2);
    expect(outcome.done).toEqual({ ended: 2 });
    expect(session.state.value).toMatchObject({ session: { sessionId: "ses_2" } });
    expect(root.querySelector("dialog")).toBeNull();
  });

  it("is not made again when the person would not, and the session lives on", async () => {
    const { server, outcome, session } = await asked({ session: fresh });
    await press("Cancel");
    expect(server.count(CALL)).toBe(1);
    expect((outcome.error as ApiError).reason).toBe("REAUTHENTICATE");
    expect(session.state.value.kind).toBe("in");
  });

  it("stays unmade while the password is wrong, which signs nobody out", async () => {
    const { server, session } = await asked(refusal(401, "BAD_CREDENTIALS"));
    await type("Password", "wrong");
    await submit();
    expect(besideField("Password")).toBe("The password is not right.");
    expect(alerts()).toBe("");
    expect(server.count(CALL)).toBe(1);
    expect(session.state.value.kind).toBe("in");
  });

  it("waits for the second step too", async () => {
    const next = { challenge: "chl_1", factors: ["FACTOR_TOTP"], expires: new Date(START).toISOString() };
    const { server, outcome } = await asked({ next });
    await type("Password", "correct horse battery staple");
    await submit();
    expect(server.count(CALL)).toBe(1);
    server.table[CALL] = {};
    server.table["POST /v1/session:continueSignIn"] = { session: fresh };
    await type("Code from the app", "123456");
    await submit();
    expect(outcome.done).toEqual({});
  });

  it("asks an account without a password for its passkey, and for nothing else", async () => {
    const next = { challenge: "chl_1", factors: ["FACTOR_PASSKEY"], passkeyOptionsJson: '{"challenge":"AAAA"}' };
    const { server, outcome } = await asked({ next }, { passkeys: [{ passkeyId: "psk_1" }] });
    expect(root.querySelectorAll("dialog input")).toHaveLength(0);
    withPasskeys(() => undefined);
    server.table[CALL] = {};
    server.table["POST /v1/session:continueSignIn"] = { session: fresh };
    expect(document.activeElement?.textContent).toBe("Use a passkey");
    await submit();
    expect(server.seen.find((seen) => seen.path === "/v1/session:reauthenticate")?.body).toEqual({});
    expect(outcome.done).toEqual({});
  });

  it("offers both when what the account has cannot be asked", async () => {
    await asked({ session: fresh }, refusal(503, "UNAVAILABLE"));
    await type("Password", "correct horse battery staple");
    await submit();
    expect(root.querySelector("dialog")).toBeNull();
  });

  it("shares the question with others, and lets go when the session ends", async () => {
    const { api, session, outcome, server } = await asked({ session: fresh });
    const other = api.call("POST", "/v1/sessions:endOthers", { body: {} }).catch((error: ApiError) => error.reason);
    await act(settle);
    expect(root.querySelectorAll("dialog")).toHaveLength(1);
    server.table["POST /v1/session:signOut"] = {};
    await act(() => session.leave());
    await act(settle);
    expect(await other).toBe("REAUTHENTICATE");
    expect((outcome.error as ApiError).reason).toBe("REAUTHENTICATE");
  });
});
