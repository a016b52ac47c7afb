/**
 * Owns how an audit event is put in words. Must never hide one: an action
 * without a sentence is shown by its name.
 */
import { money, size } from "./format.ts";
import { endingsOf, maybe, plural, t } from "./language.ts";
import type { AuditEvent } from "./types.ts";

/** Actions that are about no customer: nobody finds them in their own activity. */
const ABOUT_NOBODY: ReadonlySet<string> = new Set(["auth.operator.certificate", "audit.operator.search"]);

/** The actions that have words and may be about a customer. */
export const actions = (): readonly string[] => endingsOf("done.").filter((action) => !ABOUT_NOBODY.has(action));

/** What happened, or what was tried. */
export function describe(event: AuditEvent): string {
  const form = event.outcome === "OUTCOME_SUCCESS" ? "done" : "tried";
  return maybe(`${form}.${event.action}`) ?? event.action;
}

/** Who did it, as the reader would say it. */
export function who(event: AuditEvent, me: string): string {
  const id = event.actor?.id ?? "";
  switch (event.actor?.kind) {
    case "KIND_CUSTOMER":
      return id === me ? t("who.you") : t("who.customer", { id });
    case "KIND_SERVICE":
      return t("who.service", { id });
    case "KIND_OPERATOR":
      return t("who.operator", { id });
    default:
      return t(event.outcome === "OUTCOME_SUCCESS" ? "who.notYet" : "who.nobody");
  }
}

/** Why somebody else than the reader did it; empty when it needs no reason. */
export function whyOf(event: AuditEvent): string {
  const kind = event.actor?.kind;
  if (kind !== "KIND_SERVICE" && kind !== "KIND_OPERATOR") return "";
  const cause = event.details?.cause;
  return (cause && maybe(`why.${event.action}.${cause}`)) || (maybe(`why.${event.action}`) ?? "");
}

/** The particulars worth reading at a glance; empty when there are none. */
export function particulars(event: AuditEvent): string {
  const { bytes, amountMinor, currency, count } = event.details ?? {};
  const parts: string[] = [];
  if (amountMinor !== undefined && currency) parts.push(money(currency, amountMinor));
  if (bytes !== undefined) parts.push(size(bytes));
  if (count !== undefined) parts.push(plural("activity.count", Number(count)));
  return parts.join(" · ");
}
