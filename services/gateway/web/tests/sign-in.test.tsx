/** Signing in goes one step after the other, and what is wrong is told beside the field it is about. */
import { act } from "preact/test-utils";
import { afterEach, describe, expect, it, vi } from "vitest";
import { ResetPage, RecoverPage } from "../src/pages/recover.tsx";
import { SignInPage } from "../src/pages/sign-in.tsx";
import type { SecondStep } from "../src/types.account.ts";
import { refusal, sessionFor, settle } from "./fakes.ts";
import { alerts, besideField, onAPage, press, root, START, show, submit, type, withPasskeys, words } from "./showing.tsx";

const SIGN_IN = "POST /v1/session:signIn";
const CONTINUE = "POST /v1/session:continueSignIn";
const session = sessionFor(START, 1800);
const next: SecondStep = {
  challenge: "chl_1",
  factors: ["FACTOR_TOTP", "FACTOR_PASSKEY", "FACTOR_RECOVERY_CODE"],
  passkeyOptionsJson: '{"challenge":"AAAA"}',
  expires: new Date(START + 300_000).toISOString(),
};

onAPage();

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

async function toSecondStep(table: Record<string, unknown>) {
  const shown = await show(SignInPage, { [SIGN_IN]: { next }, ...table });
  await type("E-mail", "astrid@example.se");
  await type("Password", "correct horse battery staple");
  await submit();
  return shown;
}

describe("the second step", () => {
  it("comes after the password, and its code opens the session", async () => {
    const { server, session: keeper } = await toSecondStep({ [CONTINUE]: { session } });
    expect(root.querySelector("h1")?.textContent).toBe("One more step");
    expect(keeper.state.value.kind).toBe("out");
    const code = root.querySelector<HTMLInputElement>("input");
    expect(code?.autocomplete).toBe("one-time-code");
    expect(code?.inputMode).toBe("numeric");
    expect(document.activeElement).toBe(code);
    await type("Code from the app", " 123 456 ");
    await submit();
    expect(server.seen.at(-1)?.body).toEqual({ challenge: "chl_1", totpCode: "123456" });
    expect(keeper.state.value.kind).toBe("in");
  });

  it("tells a wrong code beside its field, and goes there", async () => {
    await toSecondStep({ [CONTINUE]: refusal(401, "SECOND_FACTOR_NOT_VALID") });
    await type("Code from the app", "000000");
    await submit();
    expect(besideField("Code from the app")).toContain("not right");
    expect(alerts()).toBe("");
    expect(document.activeElement).toBe(root.querySelector("input"));
  });

  it("takes a recovery code instead", async () => {
    const { server } = await toSecondStep({ [CONTINUE]: { session } });
    await press("Use a recovery code instead");
    await type("Recovery code", "ABCD-EFGH");
    await submit();
    expect(server.seen.at(-1)?.body).toEqual({ challenge: "chl_1", recoveryCode: "ABCD-EFGH" });
  });

  it("takes a passkey instead", async () => {
    const get = withPasskeys(() => undefined);
    const { server } = await toSecondStep({ [CONTINUE]: { session } });
    await press("Use a passkey instead");
    await submit();
    expect(get).toHaveBeenCalledWith({ publicKey: { challenge: "AAAA" } });
    expect(server.seen.at(-1)?.body).toEqual({ challenge: "chl_1", passkeyJson: '{"id":"psk"}' });
  });

  it("begins again with the password when the challenge is over", async () => {
    await toSecondStep({ [CONTINUE]: refusal(400, "CHALLENGE_NOT_VALID") });
    await type("Code from the app", "000000");
    await submit();
    expect(root.querySelector("h1")?.textContent).toBe("Sign in");
    expect(alerts()).not.toBe("");
  });
});

describe("signing in with a passkey alone", () => {
  it("asks for nobody's name", async () => {
    withPasskeys(() => undefined);
    const table = { "POST /v1/session:beginPasskey": { next }, [CONTINUE]: { session } };
    const { server, session: keeper } = await show(SignInPage, table);
    await press("Sign in with a passkey");
    expect(server.seen.map((seen) => seen.body)).toEqual([{}, { challenge: "chl_1", passkeyJson: '{"id":"psk"}' }]);
    expect(keeper.state.value.kind).toBe("in");
  });

  it("says so when the person stops it, and sends nothing", async () => {
    withPasskeys(() => {
      throw new DOMException("never shown", "NotAllowedError");
    });
    const { server } = await show(SignInPage, { "POST /v1/session:beginPasskey": { next } });
    await press("Sign in with a passkey");
    expect(alerts()).toContain("No passkey was used");
    expect(server.count(CONTINUE)).toBe(0);
  });

  it("is not offered by a browser that cannot", async () => {
    vi.stubGlobal("PublicKeyCredential", undefined);
    await show(SignInPage, {});
    expect(words()).not.toContain("passkey");
  });
});

describe("passkeys among the names to fill in", () => {
  const offering = (answer: () => unknown) => {
    const get = withPasskeys(answer);
    Object.assign(PublicKeyCredential, { isConditionalMediationAvailable: async () => true });
    return get;
  };
  const toTheField = async () => {
    await act(() => void root.querySelector("input")?.dispatchEvent(new FocusEvent("focus")));
    await act(settle);
  };

  it("are offered when the field is first gone to, and sign in who picks one", async () => {
    const get = offering(() => undefined);
    const table = { "POST /v1/session:beginPasskey": { next }, [CONTINUE]: { session } };
    const { server, session: keeper } = await show(SignInPage, table);
    expect(server.seen).toEqual([]);
    await toTheField();
    expect(get).toHaveBeenCalledWith(expect.objectContaining({ mediation: "conditional" }));
    expect(keeper.state.value.kind).toBe("in");
  });

  it("that are not picked are no news", async () => {
    offering(() => {
      throw new DOMException("never shown", "AbortError");
    });
    const { server } = await show(SignInPage, { "POST /v1/session:beginPasskey": { next } });
    await toTheField();
    await toTheField();
    expect(server.count("POST /v1/session:beginPasskey")).toBe(1);
    expect(alerts()).toBe("");
  });

  it("tell who picks one that it was refused", async () => {
    offering(() => undefined);
    const table = { "POST /v1/session:beginPasskey": { next }, [CONTINUE]: refusal(401, "SECOND_FACTOR_NOT_VALID") };
    await show(SignInPage, table);
    await toTheField();
    expect(alerts()).not.toBe("");
  });
});

describe("a forgotten password", () => {
  it("gets the same answer for every address", async () => {
    const { server } = await show(RecoverPage, { "POST /v1/account:recover": {} });
    await type("E-mail", " nobody@example.se ");
    await submit();
    expect(server.seen.at(-1)?.body).toEqual({ email: "nobody@example.se" });
    expect(words()).toContain("If nobody@example.se has an account here");
  });

  it("cannot be replaced without the mail's link", async () => {
    await show(ResetPage, {});
    expect(root.querySelector("input")).toBeNull();
  });

  it("is replaced with it, and what is wrong with the new one is told beside it", async () => {
    history.replaceState(null, "", "/reset#token=s3cret");
    const { server } = await show(ResetPage, { "POST /v1/account:resetPassword": refusal(400, "PASSWORD_COMMON") });
    await type("New password", "password1234567");
    await submit();
    expect(besideField("New password")).toContain("first that somebody would guess");
    server.table["POST /v1/account:resetPassword"] = {};
    await type("New password", "a lighthouse keeper counts");
    await submit();
    expect(server.seen.at(-1)?.body).toEqual({ token: "s3cret", newPassword: "a lighthouse keeper counts" });
    expect(root.querySelector("h1")?.textContent).toBe("Your password is changed");
  });
});
