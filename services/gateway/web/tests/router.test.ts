/** Plain clicks on the client's own pages load no document; the card page always gets one of its own. */
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { go, route, startRouter } from "../src/router.ts";

beforeAll(startRouter);

afterEach(() => {
  vi.restoreAllMocks();
  document.body.replaceChildren();
  go("/");
});

/** Clicks a link; true when the router took the click over. */
function click(href: string, init: MouseEventInit = {}, attributes: Record<string, string> = {}): boolean {
  const link = document.createElement("a");
  link.setAttribute("href", href);
  for (const [name, value] of Object.entries(attributes)) link.setAttribute(name, value);
  document.body.append(link);
  const event = new MouseEvent("click", { bubbles: true, cancelable: true, button: 0, ...init });
  // What the router leaves is the browser's: kept from loading anything here.
  let taken = false;
  const last = (late: Event) => {
    taken = late.defaultPrevented;
    late.preventDefault();
  };
  window.addEventListener("click", last, { once: true });
  link.dispatchEvent(event);
  return taken;
}

describe("a click", () => {
  it("on one of the client's pages shows it", () => {
    expect(click("/files")).toBe(true);
    expect(route.value?.page).toBe("files");
    expect(location.pathname).toBe("/files");
  });

  it.each([
    ["with a key held", "/files", { ctrlKey: true }, {}],
    ["with another button", "/files", { button: 1 }, {}],
    ["on a download", "/files", {}, { download: "" }],
    ["on a link to another window", "/files", {}, { target: "_blank" }],
    ["on an address of the API", "/log/key", {}, {}],
    ["on another site", "https://example.com/files", {}, {}],
    ["on a place in the page", "/#content", {}, {}],
  ])("%s is the browser's", (_what, href, init, attributes) => {
    expect(click(href, init, attributes as Record<string, string>)).toBe(false);
    expect(route.value?.page).toBe("home");
  });

  it("on the card page loads a document of its own", () => {
    const assign = vi.spyOn(location, "assign").mockImplementation(() => {});
    expect(click("/cards")).toBe(true);
    expect(assign).toHaveBeenCalledWith("/cards");
    expect(route.value?.page).toBe("home");
  });
});
