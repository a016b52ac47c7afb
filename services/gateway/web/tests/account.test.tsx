/** The account's pages: factors, recovery codes, passwords and sessions. */
import { describe, expect, it, vi } from "vitest";
import { ErasureSection } from "../src/pages/account/erasure.tsx";
import { ProfilePage } from "../src/pages/account/profile.tsx";
import { AccountSecurityPage, passwordWanted } from "../src/pages/account/security.tsx";
import { modules } from "../src/parts/qr-code.tsx";
import type { Factors } from "../src/types.account.ts";
import { refusal, sessionFor } from "./fakes.ts";
import { alerts, besideField, onAPage, press, root, START, show, submit, type, words } from "./showing.tsx";

const FACTORS = "GET /v1/factors";
const iso = (seconds: number) => new Date(START + seconds * 1000).toISOString();
const codes = Array.from({ length: 10 }, (_, index) => `CODE-${index}`);
const passkey = { passkeyId: "psk_1", displayName: "my phone", created: iso(0), verifiesUser: true };
const sessions = [
  { sessionId: "ses_1", current: true, device: "firefox/linux", createTime: iso(-60), lastActivityTime: iso(0), ends: iso(1800) },
  { sessionId: "ses_2", device: "safari/ios", place: "192.0.0.0/16", createTime: iso(-60), lastActivityTime: iso(-50), ends: iso(900) },
];

onAPage();

const onSecurity = (factors: Factors, table: Record<string, unknown> = {}) =>
  show(AccountSecurityPage, { [FACTORS]: factors, "GET /v1/sessions": { sessions }, ...table }, true);

describe("an authenticator app", () => {
  it("is set up from a code drawn here, and the recovery codes are shown until they are put away", async () => {
    const { server } = await onSecurity(
      { hasPassword: true },
      {
        "POST /v1/factors/totp:begin": { secret: "ABCDEFGHIJKLMNOP", otpauthUri: "otpauth://totp/Valv:a?secret=ABCDEFGHIJKLMNOP" },
        "POST /v1/factors/totp:confirm": { recoveryCodes: codes },
      },
    );
    await press("Set up an app");
    expect(root.querySelector("[role=img][aria-label^='QR code'] path")?.getAttribute("d")).toMatch(/^M\d/);
    expect(words()).toContain("ABCD EFGH IJKL MNOP");
    await type("Code from the app", "12345");
    await submit();
    expect(besideField("Code from the app")).toContain("six digits");
    await type("Code from the app", "123 456");
    server.table[FACTORS] = { hasPassword: true, totpConfirmed: iso(0), recoveryCodesLeft: 10 };
    await submit();
    expect(server.seen.find((seen) => seen.path.endsWith("totp:confirm"))?.body).toEqual({ code: "123456" });
    expect(words()).not.toContain("ABCD EFGH");
    expect(words()).toContain("CODE-9");
    expect(document.activeElement?.textContent).toBe("Put these recovery codes away");
    await press("I have put them away");
    expect(words()).not.toContain("CODE-9");
    expect(server.count("GET /v1/sessions")).toBe(2);
  });

  it("tells a wrong code beside its field", async () => {
    await onSecurity(
      { hasPassword: true },
      {
        "POST /v1/factors/totp:begin": { secret: "ABCD", otpauthUri: "otpauth://totp/Valv:a?secret=ABCD" },
        "POST /v1/factors/totp:confirm": refusal(400, "CODE_NOT_VALID"),
      },
    );
    await press("Set up an app");
    await type("Code from the app", "123456");
    await submit();
    expect(besideField("Code from the app")).not.toBe("");
    expect(alerts()).toBe("");
  });

  it("goes only with a longer password where nothing else would be asked for", async () => {
    const { server } = await onSecurity({ hasPassword: true, totpConfirmed: iso(0) }, { "POST /v1/factors/totp:remove": {} });
    await press("Remove the app");
    await submit();
    expect(server.count("POST /v1/factors/totp:remove")).toBe(0);
    expect(besideField("New password")).toBe("Use 15 characters or more.");
    await type("New password", "a lighthouse keeper counts");
    await submit();
    expect(server.seen.find((seen) => seen.path.endsWith("totp:remove"))?.body).toEqual({
      newPassword: "a lighthouse keeper counts",
    });
    expect(root.querySelector("dialog")).toBeNull();
  });

  it("is drawn so that readers find it: a margin of four, and three finders", () => {
    const { size, path } = modules("otpauth://totp/Valv:astrid%40example.se?secret=JBSWY3DPEHPK3PXP&issuer=Valv");
    const dark = new Set(path.match(/M\d+ \d+/gu));
    const at = (x: number, y: number) => dark.has(`M${x} ${y}`);
    for (const [x, y] of [[4, 4], [size - 11, 4], [4, size - 11]] as const) {
      expect([at(x, y), at(x + 6, y + 6), at(x + 1, y + 1), at(x + 3, y + 3)]).toEqual([true, true, false, true]);
    }
    for (let place = 0; place < size; place += 1) {
      for (const edge of [0, 1, 2, 3]) expect(at(place, edge) || at(edge, place) || at(size - 1 - edge, place)).toBe(false);
    }
  });
});

describe("the password that must come when a factor goes", () => {
  it.each([
    [{ hasPassword: true }, false, 0, 15],
    [{ hasPassword: true }, true, 0, 0],
    [{ hasPassword: true }, false, 1, 0],
    [{}, false, 0, 15],
    [{}, true, 0, 8],
    [{}, false, 1, 0],
  ])("of %j with TOTP %s and %i passkeys left: %i", (factors, totp, left, least) => {
    expect(passwordWanted(factors, totp, left)).toBe(least);
  });
});

describe("a passkey", () => {
  it("has its name on its buttons, and can be renamed", async () => {
    vi.stubGlobal("PublicKeyCredential", Object.assign(() => {}, { parseRequestOptionsFromJSON: () => {} }));
    const { server } = await onSecurity({ hasPassword: true, passkeys: [passkey] }, { "POST /v1/factors/passkeys/psk_1:rename": {} });
    await press("Rename my phone");
    await type("Name of the passkey", " my old phone ");
    await submit();
    expect(server.seen.find((seen) => seen.path.endsWith(":rename"))?.body).toEqual({ displayName: "my old phone" });
    vi.unstubAllGlobals();
  });

  it("that suffices by itself lets the password go", async () => {
    const { server } = await onSecurity({ hasPassword: true, passkeys: [passkey] }, { "POST /v1/password:remove": {} });
    await press("Remove password");
    server.table[FACTORS] = { passkeys: [passkey] };
    await submit();
    expect(words()).toContain("This account has no password");
  });

  it("that does not suffice leaves the password where it is", async () => {
    await onSecurity({ hasPassword: true, passkeys: [{ ...passkey, verifiesUser: false }] });
    expect(words()).not.toContain("Remove password");
  });
});

describe("changing the password", () => {
  const change = async (answer: unknown) => {
    const shown = await onSecurity({ hasPassword: true }, { "POST /v1/password:change": answer });
    await press("Change password");
    await type("Present password", "the old one, still right");
    await type("New password", "a lighthouse keeper counts");
    await submit();
    return shown;
  };

  it("says what became of the other sessions", async () => {
    const { server, session } = await change({ session: { ...sessionFor(START, 1800), sessionId: "ses_3" } });
    expect(server.seen.find((seen) => seen.path.endsWith("password:change"))?.body).toEqual({
      currentPassword: "the old one, still right",
      newPassword: "a lighthouse keeper counts",
    });
    expect(words()).toContain("Your other sessions have ended.");
    expect(session.state.value).toMatchObject({ session: { sessionId: "ses_3" } });
  });

  it("tells a wrong present password beside it, and signs nobody out", async () => {
    const { session } = await change(refusal(400, "PASSWORD_WRONG"));
    expect(besideField("Present password")).not.toBe("");
    expect(session.state.value.kind).toBe("in");
  });
});

describe("focus", () => {
  it("goes to the heading of the part whose focused thing is gone", async () => {
    await onSecurity({ hasPassword: true });
    await press("Change password");
    expect(document.activeElement?.tagName).toBe("INPUT");
    await press("Cancel");
    expect(document.activeElement?.textContent).toContain("Password");
    expect(document.activeElement?.tagName).toBe("H2");
  });
});

describe("the sessions", () => {
  it("can be ended, but this one by no button of its own", async () => {
    const { server } = await onSecurity({ hasPassword: true }, { "POST /v1/sessions/ses_2:end": {} });
    const rows = [...root.querySelectorAll("[data-testid=session]")];
    expect(rows[0]?.textContent).toContain("This one");
    expect(rows[0]?.querySelector("button")).toBeNull();
    await press("End the session on Safari, iOS");
    expect(server.count("POST /v1/sessions/ses_2:end")).toBe(1);
    expect(words()).toContain("The session has ended.");
  });

  it("end all at once, this one too", async () => {
    const { session } = await onSecurity({ hasPassword: true }, { "POST /v1/sessions:endAll": {} });
    await press("End all, this one too");
    await submit();
    expect(session.state.value).toEqual({ kind: "out", why: "left" });
  });
});

describe("the profile", () => {
  it("keeps the address until the link is opened", async () => {
    const { server } = await show(ProfilePage, { "POST /v1/email:change": {} }, true);
    await type("New e-mail", "astrid");
    await submit();
    expect(besideField("New e-mail")).toContain("whole e-mail address");
    await type("New e-mail", "astrid.new@example.se");
    await submit();
    expect(server.seen.at(-1)?.body).toEqual({ newEmail: "astrid.new@example.se" });
    expect(words()).toContain("We have sent a link to astrid.new@example.se");
    expect(root.querySelector(".facts")?.textContent).toContain("astrid@example.se");
  });

  it("offers our mail in every language, the one shown first", async () => {
    const { server } = await show(ProfilePage, { "POST /v1/account:setLocale": {} }, true);
    await press("Write to me in Swedish");
    expect(server.seen.at(-1)?.body).toEqual({ locale: "sv" });
  });
});

describe("erasing the account", () => {
  const erasure = { requestTime: iso(0), dueTime: iso(7 * 86_400) };

  it("says what goes and what stays, then when, and until then it can be taken back", async () => {
    const table = { "GET /v1/account/erasure": {}, "POST /v1/account:erase": { erasure }, "POST /v1/account:cancelErasure": {} };
    const { server } = await show(ErasureSection, table, true);
    await press("Erase my account");
    expect(root.querySelector("dialog")?.textContent).toContain("What the law demands");
    server.table["GET /v1/account/erasure"] = { erasure };
    await submit();
    expect(server.count("POST /v1/account:erase")).toBe(1);
    expect(words()).toContain("Your account will be erased on Jan 8, 2026");
    server.table["GET /v1/account/erasure"] = {};
    await press("Keep my account");
    expect(server.count("POST /v1/account:cancelErasure")).toBe(1);
    expect(words()).toContain("Your account stays.");
    expect(words()).not.toContain("will be erased on");
  });

  it("is not asked for by who says no", async () => {
    const { server } = await show(ErasureSection, { "GET /v1/account/erasure": {} }, true);
    await press("Erase my account");
    await press("Cancel");
    expect(server.count("POST /v1/account:erase")).toBe(0);
  });
});
