/**
 * Owns the address bar: which page is shown, and moving between pages without
 * loading a document. Must never follow an address that is not in `routes`.
 */
import { computed, signal } from "@preact/signals";
import { type Route, routeOf } from "./routes.ts";

const path = signal(location.pathname);

/** The route shown; undefined when the address is nobody's. */
export const route = computed<Route | undefined>(() => routeOf(path.value));

/** Counts moves, so that a page can be begun anew and focus moved to it. */
export const moves = signal(0);

/** Goes to one of the client's own paths. */
export function go(target: string): void {
  const next = routeOf(target);
  if (next?.isolated || route.value?.isolated) {
    location.assign(target);
    return;
  }
  if (target !== location.pathname) history.pushState(null, "", target);
  arrive();
}

/** Begins the page of the address bar anew: after signing in where a page was asked for. */
export function arrive(): void {
  path.value = location.pathname;
  moves.value += 1;
  scrollTo(0, 0);
}

/** Takes over plain clicks on links to the client's own pages. Modified clicks stay the browser's. */
function followed(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
    return;
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
  if (link.hash || !routeOf(link.pathname)) return;
  event.preventDefault();
  go(link.pathname);
}

/** Begins to follow links and the back button. */
export function startRouter(): void {
  document.addEventListener("click", followed);
  addEventListener("popstate", () => {
    if (routeOf(location.pathname)?.isolated !== route.value?.isolated) location.reload();
    else arrive();
  });
}
