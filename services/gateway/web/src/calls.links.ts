/** Owns the addresses of auth's API for links to third parties. Must never hold state. */
import type { Api } from "./api.ts";
import type { Link, LinkBegun, LinkProvider, LinkReturn, LinkRevocation } from "./types.links.ts";

const verb = (link: string, name: string) => `/v1/links/${encodeURIComponent(link)}:${name}`;

/** Lists the third parties that can be linked. */
export const listProviders = async (api: Api): Promise<readonly LinkProvider[]> =>
  (await api.call<{ providers?: readonly LinkProvider[] }>("GET", "/v1/links/providers")).providers ?? [];

/** Lists the caller's links, oldest first. */
export const listLinks = async (api: Api): Promise<readonly Link[]> =>
  (await api.call<{ links?: readonly Link[] }>("GET", "/v1/links")).links ?? [];

/** Begins a link: what it is for, and what would be kept. */
export const beginLink = (api: Api, provider: string, locale: string) =>
  api.call<LinkBegun>("POST", "/v1/links:begin", { body: { provider, locale } });

/** Consents to a text; returns where to go for the flow that goes there. */
export const consentToLink = async (api: Api, link: string, version: string, digest: string): Promise<string> => {
  const body = { version, digest };
  return (await api.call<{ authorizationUrl?: string }>("POST", verb(link, "consent"), { body })).authorizationUrl ?? "";
};

/** Shows the third party its password, once. */
export const connectLink = async (api: Api, link: string, username: string, password: string): Promise<Link> =>
  (await api.call<{ link: Link }>("POST", verb(link, "connect"), { body: { username, password } })).link;

/** Ends the flow that went there and came back. */
export const completeLink = async (api: Api, back: LinkReturn): Promise<Link> =>
  (await api.call<{ link: Link }>("POST", "/v1/links:complete", { body: back })).link;

/** Ends a link, or an attempt at one. */
export const unlink = async (api: Api, link: string): Promise<LinkRevocation> =>
  (await api.call<{ revocation?: LinkRevocation }>("POST", verb(link, "unlink"), { body: {} })).revocation ??
  "LINK_REVOCATION_NONE";
