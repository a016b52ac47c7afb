/**
 * Owns what the client keeps in the browser: the chosen language, and the news
 * its tabs tell each other. Must never store a token, an address or a name.
 */
import type { News, Surroundings } from "./session.ts";

const LANGUAGE = "valv.language";
const SESSION = "valv.session";

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // Storage is switched off: the client works without.
  }
}

function write(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // Storage is switched off or full: nothing that is kept here is needed.
  }
}

function newsOf(text: string | null): News | null {
  try {
    const value: unknown = JSON.parse(text ?? "null");
    if (typeof value !== "object" || value === null || !("account" in value) || !("ends" in value)) return null;
    return typeof value.account === "string" && typeof value.ends === "string"
      ? { account: value.account, ends: value.ends }
      : null;
  } catch {
    return null;
  }
}

/** The language the person chose, or null. */
export const chosenLanguage = (): string | null => read(LANGUAGE);

/** Keeps the language the person chose. */
export const chooseLanguage = (language: string): void => write(LANGUAGE, language);

/** Somebody signed in from this browser and has not signed out. Only a hint: the cookie decides. */
export const maybeSignedIn = (): boolean => newsOf(read(SESSION)) !== null;

/** The real clock, the real timers, the browser's other tabs. */
export const surroundings: Surroundings = {
  now: () => Date.now(),
  after: (milliseconds, callback) => {
    const timer = setTimeout(callback, milliseconds);
    return () => clearTimeout(timer);
  },
  tell: (news) => write(SESSION, news && JSON.stringify(news)),
};

/** Calls back with what another tab tells. */
export function hearOtherTabs(hear: (news: News | null) => void): void {
  addEventListener("storage", (event) => {
    if (event.key === SESSION) hear(newsOf(event.newValue));
  });
}
