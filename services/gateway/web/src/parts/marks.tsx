/**
 * Owns small signs: the logo, icons, pills, times. Must never carry meaning
 * that is not also in words.
 */
import type { ComponentChildren } from "preact";
import { exact, moment } from "../format.ts";

/** The vault's arch. */
export function Logo() {
  return (
    <svg class="logo" viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
      <rect width="32" height="32" rx="8" class="logo__ground" />
      <path d="M8 25V16a8 8 0 0 1 16 0v9M13 25v-8.5a3 3 0 0 1 6 0V25" class="logo__line" />
    </svg>
  );
}

const SHAPES = {
  file: "M6 3h8l4 4v14H6zM14 3v4h4",
  card: "M3 6h18v12H3zM3 10h18M7 15h4",
  coins: "M4 7h16v10H4zM12 10a2 2 0 1 0 0 4a2 2 0 0 0 0-4",
  list: "M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01",
  shield: "M12 3l8 3v6c0 4.5-3.2 7.6-8 9c-4.8-1.4-8-4.5-8-9V6zM9 12l2.2 2.2L15.5 10",
  person: "M12 12a4 4 0 1 0 0-8a4 4 0 0 0 0 8M4 21a8 8 0 0 1 16 0",
  key: "M14.5 9.5a4 4 0 1 1-1.2-2.8a4 4 0 0 1 1.2 2.8M13.6 12.2L20 18.5V21h-2.5v-2h-2v-2h-2l-1.5-1.5",
  device: "M4 5h16v11H4zM9 20h6M12 16v4",
  clock: "M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18M12 7v5l3.5 2",
  link: "M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.300l-1 1M14 10a4 4 0 0 0-5.7 0l-3 3A4 4 0 0 0 11 18.700l1-1",
  upload: "M12 16V4M7 9l5-5l5 5M4 20h16",
} as const;

/** Names of the icons. */
export type IconName = keyof typeof SHAPES;

/** An icon, for the eye only. */
export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true">
      <path d={SHAPES[name]} />
    </svg>
  );
}

/** How a pill is meant. */
export type PillTone = "good" | "bad" | "wait" | "quiet";

/** A state in a word or two. */
export function Pill({ tone, children }: { readonly tone: PillTone; readonly children: ComponentChildren }) {
  return <span class={`pill pill--${tone}`}>{children}</span>;
}

/** A time in the reader's zone; exact, in UTC, for who points at it. */
export function Time({ at, precise }: { readonly at: string; readonly precise?: boolean }) {
  return (
    <time dateTime={at} title={exact(at)}>
      {moment(at, precise ? "medium" : "short")}
    </time>
  );
}
