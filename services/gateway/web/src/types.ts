/**
 * Owns the shapes of the contracts as JSON shows them (protos/valv, camelCase,
 * 64-bit integers as strings, empty fields absent). Must never hold behaviour.
 */

/** A stored file (valv.files.v1.File). */
export interface StoredFile {
  readonly fileId: string;
  readonly displayName: string;
  readonly mediaType?: string;
  readonly size?: string;
  readonly createTime: string;
}

/** A page of files (valv.files.v1.ListFilesResponse). Sizes in bytes. */
export interface FilePage {
  readonly files?: readonly StoredFile[];
  readonly nextPageToken?: string;
  readonly usedBytes?: string;
  readonly quotaBytes?: string;
}

/** A card as far as Valv knows it (valv.billing.v1.Card). */
export interface Card {
  readonly cardId: string;
  readonly brand: string;
  readonly last4: string;
  readonly expMonth: number;
  readonly expYear: number;
  readonly createTime: string;
}

/** What the payment gateway's card fields need (valv.billing.v1.CreateCardSetupResponse). */
export interface CardSetup {
  readonly setupId: string;
  readonly clientSecret: string;
  readonly publishableKey: string;
  readonly scriptUrl: string;
  readonly sandbox?: boolean;
}

/** Where a charge stands (valv.billing.v1.Charge.State). */
export type ChargeState = "STATE_PENDING" | "STATE_SUCCEEDED" | "STATE_DECLINED" | "STATE_UNKNOWN";

/** A charge (valv.billing.v1.Charge). Amounts in the currency's minor unit. */
export interface Charge {
  readonly chargeId: string;
  readonly amount: { readonly currency: string; readonly minor?: string };
  readonly refundedMinor?: string;
  readonly state: ChargeState;
  readonly declineCode?: string;
  readonly merchant: string;
  readonly reference?: string;
  readonly createTime: string;
  readonly last4?: string;
}

/** A page of charges (valv.billing.v1.ListChargesResponse). */
export interface ChargePage {
  readonly charges?: readonly Charge[];
  readonly nextPageToken?: string;
}

/** How a thing ended (valv.audit.v1.Outcome). */
export type Outcome = "OUTCOME_SUCCESS" | "OUTCOME_DENIED" | "OUTCOME_FAILED";

/** Who did a thing (valv.audit.v1.Actor). */
export interface Actor {
  readonly kind: "KIND_NOBODY" | "KIND_CUSTOMER" | "KIND_OPERATOR" | "KIND_SERVICE";
  readonly id?: string;
}

/** Typed particulars of an event, as far as this client shows them (valv.audit.v1.Details). */
export interface Details {
  readonly bytes?: string;
  readonly amountMinor?: string;
  readonly currency?: string;
  readonly count?: string;
  readonly cause?: string;
}

/** What happened (valv.audit.v1.Event). */
export interface AuditEvent {
  readonly eventId: string;
  readonly time: string;
  readonly action: string;
  readonly outcome: Outcome;
  readonly reason?: string;
  readonly actor?: Actor;
  readonly object?: { readonly kind?: string; readonly id?: string };
  readonly origin?: { readonly address?: string; readonly device?: string };
  readonly requestId?: string;
  readonly session?: string;
  readonly details?: Details;
}

/** One event in the log (valv.audit.v1.Activity). */
export interface Activity {
  readonly event: AuditEvent;
  readonly producer: string;
  readonly index?: string;
  readonly provable?: boolean;
  /** Hexadecimal. */
  readonly leafHash?: string;
}

/** A page of events (valv.audit.v1.ListActivityResponse). */
export interface ActivityPage {
  readonly activities?: readonly Activity[];
  readonly nextPageToken?: string;
}

/** State of a promise or check (valv.audit.v1.Practice.State). */
export type PracticeState = "STATE_NO_CHECK" | "STATE_UNKNOWN" | "STATE_KEPT" | "STATE_BROKEN";

/** One live check (valv.audit.v1.Check). */
export interface Check {
  readonly check: string;
  readonly state?: PracticeState;
  readonly time?: string;
  readonly event?: string;
  readonly index?: string;
  readonly measured?: string;
  readonly threshold?: string;
  readonly least?: boolean;
  readonly unit?: "UNIT_COUNT" | "UNIT_BITS" | "UNIT_DAYS" | "UNIT_MINUTES" | "UNIT_MILLISECONDS";
  readonly alertTime?: string;
}

/** One promise (valv.audit.v1.Practice). */
export interface Practice {
  readonly promise: string;
  readonly state?: PracticeState;
  readonly checks?: readonly Check[];
}
