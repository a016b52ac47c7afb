/**
 * Owns the field for a new password: its rule, its count, its faults. Must
 * never ask for anything but length; what is too common, the server knows.
 */
import { number } from "../format.ts";
import { plural, t } from "../language.ts";
import { PasswordField } from "./form.tsx";
import { faultOf } from "./task.ts";

/** Least length of a password that is the only thing asked for. */
export const LEAST_ALONE = 15;
/** Least length of a password with a second step after it. */
export const LEAST_WITH_SECOND = 8;
const MOST = 256;

const REASONS = [
  "PASSWORD_TOO_SHORT",
  "PASSWORD_TOO_LONG",
  "PASSWORD_COMMON",
  "PASSWORD_CONTEXT",
  "PASSWORD_GUESSABLE",
  "PASSWORD_BREACHED",
];

/** Counts as the server does: NFC, then code points. */
export function lengthOf(password: string): number {
  return [...password.normalize("NFC")].length;
}

/** Returns what is wrong with a new password's length, or undefined. */
export function lengthFault(password: string, least: number): string | undefined {
  const length = lengthOf(password);
  if (length < least) return t("newPassword.tooShort", { least: number(least) });
  return length > MOST ? t("newPassword.tooLong") : undefined;
}

/** Props of the field. */
export interface NewPasswordProps {
  readonly label: string;
  readonly value: string;
  readonly onValue: (value: string) => void;
  readonly least: number;
  /** A submit was tried: faults are shown. */
  readonly tried: boolean;
  /** The server's refusal, if there was one. */
  readonly error: unknown;
  /** The rule in other words, where `least` is not known for sure. */
  readonly rule?: string;
}

/** The field. */
export function NewPasswordField({ label, value, onValue, least, tried, error, rule }: NewPasswordProps) {
  return (
    <PasswordField
      label={label}
      value={value}
      onValue={onValue}
      autoComplete="new-password"
      error={(tried ? lengthFault(value, least) : undefined) ?? faultOf(error, REASONS)}
      hint={rule ? <p>{rule}</p> : <Hint length={lengthOf(value)} least={least} />}
    />
  );
}

/** The error is the field's own: nothing else needs to tell it. */
export function ofNewPassword(error: unknown): boolean {
  return faultOf(error, REASONS) !== undefined;
}

function Hint({ length, least }: { readonly length: number; readonly least: number }) {
  const enough = length >= least;
  return (
    <>
      <p>{t("newPassword.hint", { least: number(least) })}</p>
      {!enough && <p class="count">{plural("newPassword.missing", Math.max(0, least - length))}</p>}
      <p class="count count--enough" aria-live="polite">
        {enough && t("newPassword.enough", { count: number(length) })}
      </p>
    </>
  );
}
