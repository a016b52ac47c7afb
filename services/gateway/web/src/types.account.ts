/**
 * Owns the shapes of auth's contracts as JSON shows them (protos/valv/auth):
 * accounts, sessions, factors, links, erasure. Must never hold behaviour.
 */

/** A live session (valv.auth.v1.Session). Times are RFC 3339, UTC. */
export interface Session {
  readonly sessionId: string;
  readonly accountId: string;
  readonly email: string;
  readonly ends: string;
  readonly authTime: string;
  readonly now: string;
}

/** What can be asked for after the password (valv.auth.v1.Factor). */
export type FactorKind = "FACTOR_TOTP" | "FACTOR_PASSKEY" | "FACTOR_RECOVERY_CODE";

/** A sign-in on its way: what it still wants (valv.auth.v1.SecondFactor). */
export interface SecondStep {
  readonly challenge: string;
  readonly factors?: readonly FactorKind[];
  readonly passkeyOptionsJson?: string;
  readonly expires: string;
}

/** What a sign-in, or a step of it, comes to (valv.auth.v1.SignInResponse). */
export interface SignInAnswer {
  readonly session?: Session;
  readonly next?: SecondStep;
}

/** What answers a second step: exactly one of them. */
export type SecondProof =
  | { readonly totpCode: string }
  | { readonly recoveryCode: string }
  | { readonly passkeyJson: string };

/** What somebody proves again who they are with; nothing, for a passkey. */
export interface FirstProof {
  readonly password?: string;
}

/** A passkey (valv.auth.v1.Passkey). */
export interface Passkey {
  readonly passkeyId: string;
  readonly displayName: string;
  readonly created: string;
  readonly used?: string;
  /** It asked for a PIN, a fingerprint or the like, and so may be the only sign-in. */
  readonly verifiesUser?: boolean;
}

/** How an account is signed in to (valv.auth.v1.ListFactorsResponse). */
export interface Factors {
  readonly hasPassword?: boolean;
  readonly totpConfirmed?: string;
  readonly passkeys?: readonly Passkey[];
  readonly recoveryCodesLeft?: number;
}

/** A TOTP secret that waits for its first code (valv.auth.v1.BeginTotpResponse). */
export interface TotpSetup {
  readonly secret: string;
  readonly otpauthUri: string;
}

/** One of the account's sessions (valv.auth.v1.OwnSession). */
export interface OwnSession {
  readonly sessionId: string;
  readonly current?: boolean;
  /** Coarse: "firefox/linux". */
  readonly device?: string;
  /** Coarse: "192.0.0.0/16", "private-network", "this-machine". */
  readonly place?: string;
  readonly createTime: string;
  readonly lastActivityTime: string;
  readonly ends: string;
}

/** An erasure that was asked for (valv.auth.v1.Erasure). */
export interface Erasure {
  readonly requestTime: string;
  readonly dueTime: string;
}
