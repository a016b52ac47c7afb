/** Pages do what they say, with a server that answers by table. */
import { act } from "preact/test-utils";
import { describe, expect, it } from "vitest";
import { App } from "../src/app.tsx";
import { language } from "../src/language.ts";
import { ActivityPage } from "../src/pages/activity.tsx";
import { SecurityPage } from "../src/pages/security.tsx";
import { SignInPage } from "../src/pages/sign-in.tsx";
import { SignUpPage } from "../src/pages/sign-up.tsx";
import { lengthOf } from "../src/parts/new-password.tsx";
import { go } from "../src/router.ts";
import { refusal, sessionFor } from "./fakes.ts";
import { onAPage, root, START, show, submit, type } from "./showing.tsx";

onAPage();

describe("signing in", () => {
  it("says how long to wait, and forgets the password", async () => {
    const wait = { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "40s" };
    await show(SignInPage, { "POST /v1/session:signIn": () => refusal(429, "THROTTLED", [wait]) });
    await type("E-mail", "astrid@example.se");
    await type("Password", "correct horse battery staple");
    await submit();
    expect(root.querySelector("[role=alert]")?.textContent).toContain("40 seconds");
    expect(root.querySelector<HTMLInputElement>("input[autocomplete=current-password]")?.value).toBe("");
  });

  it("shows the request id of what is not the person's fault, and never the server's text", async () => {
    await show(SignInPage, { "POST /v1/session:signIn": () => refusal(500, "INTERNAL") });
    await submit();
    expect(root.textContent).toContain("req-1");
    expect(root.textContent).not.toContain("never shown");
  });

  it("sends nothing twice while it waits", async () => {
    const { server } = await show(SignInPage, { "POST /v1/session:signIn": () => new Promise(() => {}) });
    await submit();
    await submit();
    expect(server.count("POST /v1/session:signIn")).toBe(1);
  });
});

describe("signing up", () => {
  it("counts as the server does: composed, by code points", () => {
    expect(lengthOf("a\u0308")).toBe(1);
    expect(lengthOf("🔑🔑")).toBe(2);
  });

  it("sends no password that is too short", async () => {
    const { server } = await show(SignUpPage, {});
    await type("E-mail", "astrid@example.se");
    await type("Password", "short");
    await submit();
    expect(root.textContent).toContain("Use 15 characters or more.");
    expect(server.seen).toEqual([]);
  });

  it("sends the language, and then says where to look", async () => {
    const { server } = await show(SignUpPage, { "POST /v1/account:signUp": {} });
    await type("E-mail", " astrid@example.se ");
    await type("Password", "correct horse battery staple");
    await submit();
    expect(server.seen[0]?.body).toEqual({
      email: "astrid@example.se",
      password: "correct horse battery staple",
      locale: "en",
    });
    expect(root.querySelector("h1")?.textContent).toBe("Check your mail");
  });
});

describe("activity", () => {
  const event = { eventId: "evt_1", time: new Date(START).toISOString(), outcome: "OUTCOME_SUCCESS" };

  it("shows an event that it has no words for, and offers no receipt before it is signed", async () => {
    const activities = [
      { event: { ...event, action: "a.new.action", actor: { kind: "KIND_CUSTOMER", id: "usr_1" } }, producer: "auth" },
      { event: { ...event, eventId: "evt_2", action: "files.file.delete" }, producer: "files", index: "7", provable: true },
    ];
    await show(ActivityPage, { "GET /v1/activity": { activities } }, true);
    const rows = [...root.querySelectorAll("[data-testid=event]")];
    expect(rows[0]?.textContent).toContain("a.new.action");
    expect(rows[0]?.textContent).toContain("You");
    expect(rows[0]?.querySelector("a")).toBeNull();
    expect(rows[1]?.querySelector("a")?.getAttribute("href")).toBe("/v1/activity/evt_2/receipt");
  });

  it("says that an attempt was refused, and why a service acted", async () => {
    const activities = [
      { event: { ...event, action: "auth.session.open", outcome: "OUTCOME_DENIED", actor: { kind: "KIND_NOBODY" } }, producer: "auth" },
      {
        event: { ...event, eventId: "evt_2", action: "billing.charge.create", actor: { kind: "KIND_SERVICE", id: "shop" } },
        producer: "billing",
      },
    ];
    await show(ActivityPage, { "GET /v1/activity": { activities } }, true);
    expect(root.textContent).toContain("Attempt to sign in Refused");
    expect(root.textContent).toContain("The shop service · because you bought something there");
  });
});

describe("the security page", () => {
  const time = new Date(START).toISOString();
  const check = (name: string, state: string, rest: object = {}) => ({ check: name, state: `STATE_${state}`, time, unit: "UNIT_COUNT", measured: "0", index: "7", ...rest });

  it("calls a promise kept only when the server does", async () => {
    const practices = [
      { promise: "P1", state: "STATE_NO_CHECK" },
      { promise: "P8", state: "STATE_BROKEN", checks: [check("x.y", "BROKEN", { measured: "2", alertTime: time })] },
      { promise: "P6", state: "STATE_KEPT" },
      { promise: "P9" },
    ];
    await show(SecurityPage, { "GET /v1/practices": { practices } });
    const said = [...root.querySelectorAll(".promise__head .pill")].map((pill) => pill.textContent);
    expect(said).toEqual(["No live check yet", "Broken", "Kept", "No live check yet"]);
    expect(root.textContent).toContain("1 of 4 promises is checked live and kept.");
    expect(root.textContent).toContain("1 is broken.");
    expect(root.querySelector("[data-testid=y-check]")?.textContent).toContain("x.yBroken 2Our operators have been alerted since");
  });

  it("tells what was measured, against what, with a receipt for each service", async () => {
    const days = { unit: "UNIT_DAYS", least: true, threshold: "7" };
    const checks = [
      check("auth.certificate_days", "KEPT", { ...days, measured: "89" }),
      check("files.certificate_days", "KEPT", { ...days, measured: "30", index: "8" }),
      check("gateway.doors", "KEPT"),
      check("auth.listeners", "KEPT"),
      { check: "files.listeners", state: "STATE_UNKNOWN" },
    ];
    await show(SecurityPage, { "GET /v1/practices": { practices: [{ promise: "P3", state: "STATE_UNKNOWN", checks }] } });
    const lines = [...root.querySelectorAll(".check")].map((line) => line.querySelector(".check__value")?.textContent?.trim());
    expect(lines).toEqual(["30 days at least 7", "none", "Not known right now"]);
    const links = [...root.querySelectorAll<HTMLAnchorElement>(".check a")];
    expect(links.map((link) => link.textContent)).toEqual(["accounts", "files", "log entry 7", "log entry 7"]);
    expect(links[1]?.getAttribute("href")).toBe("/v1/practices/files.certificate_days/receipt");
  });
});

describe("the client", () => {
  it("asks for a sign-in in place of a page that needs one, and then shows that page", async () => {
    go("/account");
    const { server, session } = await show(App, {});
    expect(root.querySelector("h1")?.textContent).toBe("Sign in");
    expect(root.querySelector(".sections")).toBeNull();
    server.table["POST /v1/session:signIn"] = { session: sessionFor(START, 1800) };
    await submit();
    expect(session.state.value.kind).toBe("in");
    expect(root.querySelector("h1")?.textContent).toBe("Account");
    expect(root.querySelector("header")?.textContent).toContain("astrid@example.se");
    expect(root.querySelector("[role=timer]")?.textContent).toBe("30:00");
  });

  it("takes everything off the page when the session ends", async () => {
    go("/account");
    const { server, api } = await show(App, {}, true);
    expect(root.textContent).toContain("usr_1");
    server.table["GET /v1/files"] = refusal(401, "SESSION_ENDED");
    await act(async () => {
      await api.call("GET", "/v1/files").catch(() => {});
    });
    expect(root.textContent).not.toContain("usr_1");
    expect(root.querySelector("[role=status]")?.textContent).toContain("Your session has ended.");
  });

  it("speaks Swedish when asked to, and says so to the browser", async () => {
    await show(App, {});
    await act(() => {
      language.value = "sv";
    });
    expect(root.querySelector("h1")?.textContent).toBe("Ett valv för det du anförtror oss");
    expect(document.documentElement.lang).toBe("sv");
  });
});
