/**
 * Owns which language is shown and how a sentence is found. Must never hold a
 * sentence itself: those are in the catalogs.
 */
import { effect, signal } from "@preact/signals";
import { chooseLanguage, chosenLanguage } from "./browser.ts";
import { en } from "./catalog/en.ts";
import { sv } from "./catalog/sv.ts";

/** Every sentence has a key; every catalog has every key. */
export type Key = keyof typeof en;

/** Words put into a sentence's {placeholders}. */
export type Words = Readonly<Record<string, string | number>>;

/** A catalog: all keys, nothing else. */
export type Catalog = Readonly<Record<Key, string>>;

/** Keys that come in the plural forms of Intl.PluralRules: `….one` and `….other`. */
export type PluralKey = Key extends infer K ? (K extends `${infer Base}.other` ? Base : never) : never;

/** The languages, by BCP 47 code. To add one: write its catalog and name it here. */
export const catalogs = { en, sv } satisfies Record<string, Catalog>;

/** A language that has a catalog. */
export type Language = keyof typeof catalogs;

/** Every language's name in itself. */
export const languageNames: Readonly<Record<Language, string>> = { en: "English", sv: "Svenska" };

function known(code: string | null | undefined): Language | undefined {
  const base = code?.toLowerCase().split("-")[0];
  return base !== undefined && base in catalogs ? (base as Language) : undefined;
}

/** The language shown: the person's choice, else the first of the browser's that has a catalog, else English. */
export const language = signal<Language>(
  known(chosenLanguage()) ?? navigator.languages.map(known).find((code) => code !== undefined) ?? "en",
);

/** The language shown as the reader's browser spells it ("en-GB"), for the order of dates and the like. */
export function locale(): string {
  return navigator.languages.find((code) => known(code) === language.value) ?? language.value;
}

/** Shows another language and remembers it. */
export function speak(code: Language): void {
  chooseLanguage(code);
  language.value = code;
}

effect(() => {
  document.documentElement.lang = language.value;
});

/** Returns a sentence in the language shown. */
export function t(key: Key, words: Words = {}): string {
  return catalogs[language.value][key].replace(/\{(\w+)\}/g, (whole, name: string) => String(words[name] ?? whole));
}

/** Returns a sentence about a number of things, in the form the language has for that number. */
export function plural(base: PluralKey, count: number, words: Words = {}): string {
  const form = new Intl.PluralRules(language.value).select(count) === "one" ? "one" : "other";
  return t(`${base}.${form}` as Key, { ...words, count: new Intl.NumberFormat(locale()).format(count) });
}

/** Returns the sentence of a key made at run time, or undefined when the catalogs have none. */
export function maybe(key: string, words: Words = {}): string | undefined {
  return key in en ? t(key as Key, words) : undefined;
}
