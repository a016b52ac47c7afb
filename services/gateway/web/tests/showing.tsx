/** Owns how tests show a page with a server that answers by table, and act on it as a person would. */
import { type ComponentType, render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, vi } from "vitest";
import { Api } from "../src/api.ts";
import { language } from "../src/language.ts";
import { Prove } from "../src/parts/prove.tsx";
import { Proof } from "../src/proof.ts";
import { go } from "../src/router.ts";
import { SessionKeeper } from "../src/session.ts";
import { UploadQueue } from "../src/uploads.ts";
import { ValvProvider } from "../src/valv.ts";
import { FakeServer, FakeSurroundings, sessionFor, settle } from "./fakes.ts";

/** When it is, in these tests. */
export const START = Date.parse("2026-01-01T12:00:00Z");

/** What a page is shown in. */
export let root: HTMLElement;

/** Gives each test of a file an empty page in English. */
export function onAPage(): void {
  beforeEach(() => {
    root = document.body.appendChild(document.createElement("div"));
    language.value = "en";
  });
  afterEach(() => {
    render(null, root);
    root.remove();
    go("/");
  });
}

/** Shows a page. */
export async function show(Page: ComponentType, table: Record<string, unknown>, isSignedIn = false) {
  const server = new FakeServer({ "GET /v1/session": { session: sessionFor(START, 1800) }, ...table });
  const api = new Api(server.fetch);
  const session = new SessionKeeper(api, new FakeSurroundings(START));
  const proof = new Proof();
  api.provedBy(() => proof.ask());
  const uploads = new UploadQueue(api, () => ({ done: new Promise(() => {}), cancel: () => {} }), session);
  if (isSignedIn) await session.refresh();
  else session.assumeNobody();
  await act(() => {
    render(
      <ValvProvider value={{ api, session, proof, uploads }}>
        <Page />
        <Prove />
      </ValvProvider>,
      root,
    );
  });
  await act(settle);
  return { server, session, api, proof };
}

/** Types into the field with this label. */
export async function type(label: string, value: string): Promise<void> {
  const found = [...root.querySelectorAll("label")].findLast((element) => element.textContent === label);
  const input = document.getElementById(found?.htmlFor ?? "") as HTMLInputElement;
  input.value = value;
  await act(() => void input.dispatchEvent(new Event("input", { bubbles: true })));
}

/** Presses the last button with this name: a dialog's comes after the page's. */
export async function press(name: string): Promise<void> {
  const named = (button: Element) => (button.getAttribute("aria-label") ?? button.textContent?.trim()) === name;
  const button = [...root.querySelectorAll("button")].findLast(named);
  if (!button) throw new Error(`no button: ${name}`);
  await act(() => button.click());
  await act(settle);
}

/** Submits the form, the last of them. */
export async function submit(): Promise<void> {
  const form = [...root.querySelectorAll("form")].at(-1);
  await act(() => void form?.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true })));
  await act(settle);
}

/** The words on the page. */
export const words = (): string => root.textContent ?? "";

/** The page's alerts. */
export const alerts = (): string => [...root.querySelectorAll("[role=alert]")].map((one) => one.textContent).join(" ");

/** The error beside the field with this label. */
export function besideField(label: string): string {
  const found = [...root.querySelectorAll("label")].findLast((element) => element.textContent === label);
  const field = found?.closest(".field");
  const input = field?.querySelector("input");
  const error = field?.querySelector(".field__error");
  const tied = error && input?.getAttribute("aria-describedby")?.split(" ").includes(error.id);
  return tied && input?.getAttribute("aria-invalid") === "true" ? (error.textContent ?? "") : "";
}

/** A browser whose passkey says so, or fails as given. */
export function withPasskeys(answer: () => unknown) {
  class FakeCredential {
    static parseRequestOptionsFromJSON = (options: unknown) => options;
    static parseCreationOptionsFromJSON = (options: unknown) => options;
    toJSON = () => ({ id: "psk" });
  }
  vi.stubGlobal("PublicKeyCredential", FakeCredential);
  const get = vi.fn(async () => answer() ?? new FakeCredential());
  vi.spyOn(navigator, "credentials", "get").mockReturnValue({ get } as unknown as CredentialsContainer);
  return get;
}
