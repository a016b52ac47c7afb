/**
 * Owns what consent to a link is bound to: the digest of the words on the
 * page, computed from them here and not taken over from the server, so that
 * what is consented to is what was shown.
 */
import type { LinkPurpose } from "./types.links.ts";

/** Returns the digest of a purpose as shown (valv.auth.v1.LinkPurpose.digest): hexadecimal SHA-256. */
export async function digestOf(provider: string, shown: LinkPurpose): Promise<string> {
  const { purpose, version, locale, roles, usedFor, kept, keptFor } = shown;
  const lines = [provider, purpose, version, locale, (roles ?? []).join(","), usedFor, kept, keptFor];
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(lines.join("\n")));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
