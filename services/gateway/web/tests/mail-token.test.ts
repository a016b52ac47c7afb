/** The token of a mail's link leaves the address bar at once, and goes to its own page, once. */
import { beforeEach, describe, expect, it, vi } from "vitest";

beforeEach(() => vi.resetModules());

const opened = async (address: string) => {
  history.replaceState(null, "", address);
  return (await import("../src/mail-token.ts")).mailToken;
};

describe("the token of a mail's link", () => {
  it.each(["/confirm", "/confirm-change", "/reset"])("is out of the address bar before anything else: %s", async (path) => {
    await opened(`${path}#token=s3cret`);
    expect(location.hash).toBe("");
    expect(location.pathname).toBe(path);
  });

  it("is given once", async () => {
    const mailToken = await opened("/reset#token=s3cret");
    expect(mailToken("reset")).toBe("s3cret");
    expect(mailToken("reset")).toBe("");
  });

  it("is given to no page but the one its link names", async () => {
    const mailToken = await opened("/reset#token=s3cret");
    expect(mailToken("confirm")).toBe("");
    expect(mailToken("reset")).toBe("");
  });

  it("is not looked for elsewhere", async () => {
    await opened("/files#token=s3cret");
    expect(location.hash).toBe("#token=s3cret");
  });

  it("may come to a page that is open already", async () => {
    const mailToken = await opened("/confirm");
    history.replaceState(null, "", "/confirm#token=later");
    expect(mailToken("confirm")).toBe("later");
    expect(location.hash).toBe("");
  });
});
