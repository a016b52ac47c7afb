/** Only the payment gateway's script may be loaded, and only its word says that a card was taken. */
import { afterEach, describe, expect, it } from "vitest";
import { CardFieldsAway, CardRefused, mountCardFields, scriptAllowed } from "../src/card-fields.ts";

describe("a card-field script", () => {
  it.each([
    ["https://js.stripe.com/v3/", false, true],
    ["https://js.stripe.com.evil.example/v3/", false, false],
    ["http://js.stripe.com/v3/", false, false],
    ["http://127.0.0.1:9201/fields.js", false, false],
    ["http://127.0.0.1:9201/fields.js", true, true],
    ["https://js.stripe.com/v3/", true, false],
    ["javascript:alert(1)", true, false],
    ["not an address", true, false],
  ])("%s (sandbox: %s) allowed: %s", (address, sandbox, allowed) => {
    expect(scriptAllowed(address, sandbox)).toBe(allowed);
  });
});

describe("the sandbox's fields", () => {
  afterEach(() => {
    delete window.ValvSandboxCards;
  });

  const setup = {
    setupId: "stp_1",
    clientSecret: "seti_1_secret_2",
    publishableKey: "pk",
    scriptUrl: "http://127.0.0.1:9201/fields.js",
    sandbox: true,
  };

  it("are refused from elsewhere before anything is loaded", async () => {
    const elsewhere = { ...setup, scriptUrl: "https://evil.example/x.js" };
    await expect(mountCardFields(elsewhere, document.body)).rejects.toBeInstanceOf(CardFieldsAway);
    expect(document.querySelector("script")).toBeNull();
  });

  it("hand back the outcome and nothing else", async () => {
    const answers: { setupIntent?: object; error?: { code: string } }[] = [{ error: { code: "expired_card" } }, { setupIntent: {} }];
    window.ValvSandboxCards = () => ({
      mount: () => ({ ready: Promise.resolve(), unmount: () => {}, confirm: async () => answers.shift() ?? {} }),
    });
    const append = document.head.append.bind(document.head);
    document.head.append = (...nodes) => {
      for (const node of nodes) queueMicrotask(() => (node as HTMLScriptElement).onload?.(new Event("load")));
    };
    const fields = await mountCardFields(setup, document.body);
    document.head.append = append;
    await expect(fields.confirm()).rejects.toEqual(new CardRefused("expired_card"));
    await expect(fields.confirm()).resolves.toBeUndefined();
  });
});
