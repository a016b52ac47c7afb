/** A link is explained before it is consented to, and consented to before anything is asked for. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { digestOf } from "../src/consent.ts";
import { AccountLinksPage } from "../src/pages/account/links.tsx";
import type { LinkPurpose } from "../src/types.links.ts";
import { refusal, settle } from "./fakes.ts";
import { alerts, onAPage, press, root, START, show, submit, type, words } from "./showing.tsx";

const purpose: LinkPurpose = {
  version: "2026-11",
  digest: "of the server",
  purpose: "invoices",
  locale: "en",
  usedFor: "Fetching your invoices.",
  kept: "A token.",
  keptFor: "Until you remove the link.",
  roles: ["shop", "billing"],
};
// printf 'mail\ninvoices\n2026-11\nen\nshop,billing\nFetching your invoices.\nA token.\nUntil you remove the link.' | sha256sum
const DIGEST = "a520141f98cde4484a492cd782dbfb968c645e6205b807246fa2717753c9a6a6";
const providers = [{ provider: "mail", displayName: "Example Mail", flow: "LINK_FLOW_PASSWORD" }];
const link = {
  linkId: "lnk_1",
  provider: "mail",
  displayName: "Example Mail",
  accountThere: "astrid",
  purpose,
  connected: new Date(START).toISOString(),
  kept: "LINK_KEPT_TOKEN",
};
const begun = { linkId: "lnk_1", purpose, flow: "LINK_FLOW_PASSWORD", ends: new Date(START).toISOString() };

onAPage();

afterEach(() => vi.restoreAllMocks());

async function toConsent(table: Record<string, unknown>, flow = "LINK_FLOW_PASSWORD") {
  const shown = await show(
    AccountLinksPage,
    { "GET /v1/links/providers": { providers }, "GET /v1/links": {}, "POST /v1/links:begin": { ...begun, flow }, ...table },
    true,
  );
  await press("Link Example Mail");
  return shown;
}

/** Digests take more than promises: the browser computes them elsewhere. */
const digested = () => vi.waitFor(settle);

describe("the words of a purpose", () => {
  it("have the digest that the contract says", async () => {
    expect(await digestOf("mail", purpose)).toBe(DIGEST);
  });
});

describe("a link by password", () => {
  it("shows purpose, what is kept, for how long and the version, and asks for nothing yet", async () => {
    await toConsent({});
    for (const told of [purpose.usedFor, purpose.kept, purpose.keptFor, purpose.version]) expect(words()).toContain(told);
    expect(root.querySelector("input")).toBeNull();
    expect(document.activeElement?.textContent).toBe("Before you link Example Mail");
  });

  it("asks for the password after consent to the words shown, and forgets it at each attempt", async () => {
    const { server } = await toConsent({
      "POST /v1/links/lnk_1:consent": {},
      "POST /v1/links/lnk_1:connect": refusal(400, "LINK_REFUSED"),
    });
    await press("I agree");
    await vi.waitFor(() => expect(root.querySelectorAll("input")).toHaveLength(2));
    const consent = server.seen.find((seen) => seen.path.endsWith(":consent"));
    expect(consent?.body).toEqual({ version: "2026-11", digest: DIGEST });
    await type("User name at Example Mail", "astrid");
    await type("Password at Example Mail", "s3cret");
    await submit();
    expect(server.seen.at(-1)?.body).toEqual({ username: "astrid", password: "s3cret" });
    expect(alerts()).not.toBe("");
    expect([...root.querySelectorAll("input")].map((input) => input.value)).toEqual(["astrid", ""]);
    server.table["POST /v1/links/lnk_1:connect"] = { link };
    server.table["GET /v1/links"] = { links: [link] };
    await type("Password at Example Mail", "s3cret");
    await submit();
    expect(words()).toContain("Example Mail is linked.");
    expect(root.querySelector("[data-testid=link]")?.textContent).toContain("astrid");
    expect(root.querySelector("input")).toBeNull();
  });

  it("is forgotten at once by who says no", async () => {
    const { server } = await toConsent({ "POST /v1/links/lnk_1:unlink": {} });
    await press("No, leave it");
    expect(server.count("POST /v1/links/lnk_1:unlink")).toBe(1);
    expect(server.count("POST /v1/links/lnk_1:consent")).toBe(0);
    expect(words()).not.toContain("Before you link");
  });
});

describe("a link by the third party's own page", () => {
  it("goes there only by https, and only after consent", async () => {
    const assign = vi.spyOn(location, "assign").mockImplementation(() => {});
    const { server } = await toConsent(
      { "POST /v1/links/lnk_1:consent": { authorizationUrl: "javascript:alert(1)" } },
      "LINK_FLOW_REDIRECT",
    );
    expect(assign).not.toHaveBeenCalled();
    await press("I agree");
    await vi.waitFor(() => expect(alerts()).not.toBe(""));
    expect(assign).not.toHaveBeenCalled();
    server.table["POST /v1/links/lnk_1:consent"] = { authorizationUrl: "https://example.com/authorize?state=1" };
    await press("I agree");
    await vi.waitFor(() => expect(assign).toHaveBeenCalledWith("https://example.com/authorize?state=1"));
    await digested();
  });
});

describe("coming back", () => {
  it("takes what came out of the address bar before anything else", async () => {
    vi.resetModules();
    history.replaceState(null, "", "/links/callback?state=st&code=s3cret&iss=https%3A%2F%2Fexample.com");
    await import("../src/pages/linked.tsx");
    expect(location.href).not.toContain("s3cret");
    expect(location.pathname).toBe("/links/callback");
  });
});

describe("a link that is there", () => {
  it("is removed by who says so, and told what became of it", async () => {
    const { server } = await show(
      AccountLinksPage,
      {
        "GET /v1/links/providers": {},
        "GET /v1/links": { links: [link] },
        "POST /v1/links/lnk_1:unlink": { revocation: "LINK_REVOCATION_PENDING" },
      },
      true,
    );
    await press("Remove the link to Example Mail");
    server.table["GET /v1/links"] = {};
    await submit();
    expect(words()).toContain("Example Mail has not answered yet");
    expect(words()).toContain("No linked accounts.");
    expect(words()).toContain("There is no service to link with here.");
  });
});
