/**
 * Owns the token of a link in a mail: read from the fragment, and removed from
 * the address bar and so from the history before anything else happens. Must
 * never give a token to another page than the one its link names, nor twice.
 */
import { type PageName, pathOf } from "./routes.ts";

/** The pages that links in mails open. */
const pages: readonly PageName[] = ["confirm", "confirmChange", "reset"];

let taken = take();

/** Returns the token for a page, once; empty when the page was opened without one. */
export function mailToken(page: PageName): string {
  const fresh = take();
  const found = fresh.token ? fresh : taken;
  taken = { page: undefined, token: "" };
  return found.page === page ? found.token : "";
}

/** Reads `#token=…` or a bare `#…` and removes it from the address bar. */
function take(): { readonly page: PageName | undefined; readonly token: string } {
  const page = pages.find((name) => pathOf(name) === location.pathname);
  if (!page || !location.hash) return { page, token: "" };
  const fragment = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  return { page, token: new URLSearchParams(fragment).get("token") ?? decodeURIComponent(fragment) };
}
