/**
 * Owns the payment gateway's card fields: loading their script, mounting them,
 * confirming a set-up. Must never see a card: the fields are the payment
 * gateway's, and what they hand back is a name for an outcome.
 */
import type { CardSetup } from "./types.ts";

/** Card fields on the page. */
export interface CardFields {
  /** Lets the payment gateway check and keep the card. Throws CardRefused. */
  confirm(): Promise<void>;
  /** Takes them off the page. */
  remove(): void;
}

/** The payment gateway did not take the card. */
export class CardRefused extends Error {
  override readonly name = "CardRefused";

  /** @param code the payment gateway's stable code, such as "card_declined"; may be empty. */
  constructor(readonly code: string) {
    super(code);
  }
}

/** The payment gateway's fields could not be had. */
export class CardFieldsAway extends Error {
  override readonly name = "CardFieldsAway";
}

interface Answer {
  readonly setupIntent?: unknown;
  readonly error?: { readonly code?: string; readonly decline_code?: string };
}

/** What the sandbox's script defines. */
type SandboxCards = (publishableKey: string) => {
  mount(element: HTMLElement): {
    readonly ready: Promise<unknown>;
    confirm(clientSecret: string): Promise<Answer>;
    unmount(): void;
  };
};

/** The part of Stripe.js that is used. */
type StripeCards = (publishableKey: string) => {
  elements(options: { clientSecret: string; appearance: { theme: string } }): StripeElements;
  confirmSetup(options: { elements: StripeElements; redirect: "if_required" }): Promise<Answer>;
};

interface StripeElements {
  create(kind: "payment"): { mount(element: HTMLElement): void; unmount(): void };
}

declare global {
  interface Window {
    ValvSandboxCards?: SandboxCards;
    Stripe?: StripeCards;
  }
}

/** Loads the payment gateway's script and mounts its fields in `element`. */
export async function mountCardFields(setup: CardSetup, element: HTMLElement): Promise<CardFields> {
  if (!scriptAllowed(setup.scriptUrl, setup.sandbox ?? false)) {
    throw new CardFieldsAway("Not the payment gateway's script");
  }
  await load(setup.scriptUrl);
  return setup.sandbox ? await mountSandbox(setup, element) : mountStripe(setup, element);
}

async function mountSandbox(setup: CardSetup, element: HTMLElement): Promise<CardFields> {
  if (!window.ValvSandboxCards) throw new CardFieldsAway("The sandbox's script defined no card fields");
  const fields = window.ValvSandboxCards(setup.publishableKey).mount(element);
  await fields.ready;
  return {
    confirm: async () => accept(await fields.confirm(setup.clientSecret)),
    remove: () => fields.unmount(),
  };
}

function mountStripe(setup: CardSetup, element: HTMLElement): CardFields {
  if (!window.Stripe) throw new CardFieldsAway("The payment gateway's script defined no card fields");
  const stripe = window.Stripe(setup.publishableKey);
  const theme = matchMedia("(prefers-color-scheme: dark)").matches ? "night" : "stripe";
  const elements = stripe.elements({ clientSecret: setup.clientSecret, appearance: { theme } });
  const payment = elements.create("payment");
  payment.mount(element);
  return {
    confirm: async () => accept(await stripe.confirmSetup({ elements, redirect: "if_required" })),
    remove: () => payment.unmount(),
  };
}

function accept(answer: Answer): void {
  if (answer.error) throw new CardRefused(answer.error.decline_code || answer.error.code || "");
}

/** Scripts that may be loaded, beside what the page's CSP allows: Stripe's, or a sandbox's on this machine. */
export function scriptAllowed(address: string, sandbox: boolean): boolean {
  if (!URL.canParse(address)) return false;
  const url = new URL(address);
  if (sandbox) return ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  return url.origin === "https://js.stripe.com";
}

const loaded = new Map<string, Promise<void>>();

function load(address: string): Promise<void> {
  const known = loaded.get(address);
  if (known) return known;
  const promise = new Promise<void>((resolve, reject) => {
    const script = document.createElement("script");
    script.src = address;
    script.onload = () => resolve();
    script.onerror = () => {
      loaded.delete(address);
      script.remove();
      reject(new CardFieldsAway("The payment gateway's script did not load"));
    };
    document.head.append(script);
  });
  loaded.set(address, promise);
  return promise;
}
