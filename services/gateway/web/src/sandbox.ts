/**
 * Owns where the development sandboxes are. They listen on the loopback
 * address only, so they are mentioned only to who is on the same machine.
 */

/** The page of the sandbox mail server. */
export const SANDBOX_MAIL = "http://127.0.0.1:9203";

/** The sandbox shop, which charges through Valv. */
export const SANDBOX_SHOP = "https://localhost:8444";

/** This page was served from the reader's own machine. */
export function isLocal(): boolean {
  return location.hostname === "localhost" || location.hostname === "127.0.0.1";
}
