/** Owns the shapes of links to third parties as JSON shows them (protos/valv/auth/v1/link.proto). Must never hold behaviour. */

/** How a third party is linked (valv.auth.v1.LinkFlow). */
export type LinkFlow = "LINK_FLOW_PASSWORD" | "LINK_FLOW_REDIRECT";

/** A third party that can be linked (valv.auth.v1.LinkProvider). */
export interface LinkProvider {
  readonly provider: string;
  readonly displayName: string;
  readonly flow: LinkFlow;
}

/** What a link is for, in the words that were shown (valv.auth.v1.LinkPurpose). */
export interface LinkPurpose {
  readonly version: string;
  readonly digest: string;
  readonly purpose: string;
  readonly locale: string;
  readonly usedFor: string;
  readonly kept: string;
  readonly keptFor: string;
  readonly roles?: readonly string[];
}

/** What is kept of a link (valv.auth.v1.LinkKept). */
export type LinkKept = "LINK_KEPT_TOKEN" | "LINK_KEPT_PROOF" | "LINK_KEPT_LOST";

/** A link (valv.auth.v1.Link). */
export interface Link {
  readonly linkId: string;
  readonly provider: string;
  readonly displayName: string;
  readonly accountThere?: string;
  readonly purpose: LinkPurpose;
  readonly connected: string;
  readonly kept: LinkKept;
}

/** What is to be consented to (valv.auth.v1.BeginLinkResponse). */
export interface LinkBegun {
  readonly linkId: string;
  readonly purpose: LinkPurpose;
  readonly flow: LinkFlow;
  readonly ends: string;
}

/** What became of a token at the third party (valv.auth.v1.LinkRevocation). */
export type LinkRevocation = "LINK_REVOCATION_DONE" | "LINK_REVOCATION_PENDING" | "LINK_REVOCATION_NONE";

/** What a third party sent the person back with. */
export interface LinkReturn {
  readonly state: string;
  readonly code: string;
  readonly iss?: string;
}
