/**
 * Owns which language is shown and how a sentence is found. Must never hold a
 * sentence itself: those are in the catalogs.
 */
import { effect, signal } from "@preact/signals";
import { chooseLanguage, chosenLanguage } from "./browser.ts";
import type { en } from "./catalog/en.ts";

/** Every sentence has a key; every catalog has every key. */
export type Key = keyof typeof en;

/** Words put into a sentence's {placeholders}. */
export type Words = Readonly<Record<string, string | number>>;

/** A catalog: all keys, nothing else. */
export type Catalog = Readonly<Record<Key, string>>;

/** Keys that come in the plural forms of Intl.PluralRules: `….one` and `….other`. */
export type PluralKey = Key extends infer K ? (K extends `${infer Base}.other` ? Base : never) : never;

/** The languages, by BCP 47 code; a reader loads one. To add one: write its catalog, name it here and below. */
const sources = {
  en: async (): Promise<Catalog> => (await import("./catalog/en.ts")).en,
  sv: async (): Promise<Catalog> => (await import("./catalog/sv.ts")).sv,
};

/** A language that has a catalog. */
export type Language = keyof typeof sources;

/** Every language's name in itself. */
export const languageNames: Readonly<Record<Language, string>> = { en: "English", sv: "Svenska" };

/** Every language. */
export const languages = Object.keys(languageNames) as readonly Language[];

const catalogs = new Map<Language, Catalog>();

/** Loads a language's catalog; must be done before its first sentence is asked for. */
export async function load(code: Language): Promise<void> {
  if (!catalogs.has(code)) catalogs.set(code, await sources[code]());
}

function known(code: string | null | undefined): Language | undefined {
  const base = code?.toLowerCase().split("-")[0];
  return base !== undefined && base in sources ? (base as Language) : undefined;
}

/** The language shown: the person's choice, else the first of the browser's that has a catalog, else English. */
export const language = signal<Language>(
  known(chosenLanguage()) ?? navigator.languages.map(known).find((code) => code !== undefined) ?? "en",
);

/** The language shown as the reader's browser spells it ("en-GB"), for the order of dates and the like. */
export function locale(): string {
  return navigator.languages.find((code) => known(code) === language.value) ?? language.value;
}

/** Shows another language and remembers it. When its sentences cannot be had, the present one stays. */
export async function speak(code: Language): Promise<void> {
  try {
    await load(code);
  } catch {
    return;
  }
  chooseLanguage(code);
  language.value = code;
}

/** The catalog shown. */
function catalog(): Readonly<Record<string, string>> {
  const shown = catalogs.get(language.value);
  if (!shown) throw new Error(`Catalog not loaded: ${language.value}`);
  return shown;
}

effect(() => {
  document.documentElement.lang = language.value;
});

/** Returns a sentence in the language shown. */
export function t(key: Key, words: Words = {}): string {
  return (catalog()[key] ?? key).replace(/\{(\w+)\}/g, (whole, name: string) => String(words[name] ?? whole));
}

/** Returns a sentence about a number of things, in the form the language has for that number. */
export function plural(base: PluralKey, count: number, words: Words = {}): string {
  const form = new Intl.PluralRules(language.value).select(count) === "one" ? "one" : "other";
  return t(`${base}.${form}` as Key, { ...words, count: new Intl.NumberFormat(locale()).format(count) });
}

/** Returns the rest of every key that begins so. */
export function endingsOf(beginning: string): readonly string[] {
  return Object.keys(catalog()).flatMap((key) => (key.startsWith(beginning) ? [key.slice(beginning.length)] : []));
}

/** Returns the sentence of a key made at run time, or undefined when the catalog has none. */
export function maybe(key: string, words: Words = {}): string | undefined {
  return key in catalog() ? t(key as Key, words) : undefined;
}
