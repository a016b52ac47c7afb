/**
 * Owns how numbers, amounts, sizes and times are written for people, in the
 * language shown. Must never do arithmetic on money.
 */
import { locale } from "./language.ts";

/** Writes an amount given in the currency's minor unit (ISO 4217, through Intl). */
export function money(currency: string, minor: string | undefined): string {
  const format = new Intl.NumberFormat(locale(), { style: "currency", currency });
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
  const text = (minor ?? "0").padStart(digits + 1, "0");
  const whole = text.slice(0, text.length - digits);
  const decimal = digits > 0 ? `${whole}.${text.slice(-digits)}` : whole;
  return format.format(decimal as Intl.StringNumericLiteral);
}

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

/** Writes a size in bytes with a decimal unit (1 kB = 1000 bytes). */
export function size(bytes: string | number | undefined): string {
  let value = Number(bytes ?? 0);
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return new Intl.NumberFormat(locale(), {
    style: "unit",
    unit: UNITS[unit] ?? "byte",
    unitDisplay: unit === 0 ? "long" : "short",
    maximumFractionDigits: value < 100 && unit > 0 ? 1 : 0,
  }).format(value);
}

/** Writes a whole number. */
export function number(value: string | number | undefined): string {
  return new Intl.NumberFormat(locale()).format(Number(value ?? 0));
}

/** Writes a date and a time of day, in the reader's own zone; with seconds when "medium". */
export function moment(time: string, timeStyle: "short" | "medium" = "short"): string {
  return new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeStyle }).format(new Date(time));
}

/** Writes a time of day, in the reader's own zone. */
export function clock(time: string): string {
  return new Intl.DateTimeFormat(locale(), { timeStyle: "short" }).format(new Date(time));
}

/** Writes an exact time: UTC, to the millisecond. */
export function exact(time: string): string {
  return new Date(time).toISOString();
}

/** Writes seconds as minutes and seconds: 29:05; with hours when there are any. */
export function countdown(seconds: number): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const rest = `${two(Math.floor((seconds % 3600) / 60))}:${two(seconds % 60)}`;
  return hours > 0 ? `${hours}:${rest}` : rest;
}

const STEPS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
] as const;

/** Writes how long ago a time was: "5 minutes ago". */
export function ago(time: string, now = Date.now()): string {
  const seconds = Math.max(0, (now - Date.parse(time)) / 1000);
  const format = new Intl.RelativeTimeFormat(locale(), { numeric: "auto" });
  const [unit, length] = STEPS.find((step) => seconds >= step[1]) ?? (["second", 1] as const);
  return format.format(-Math.floor(seconds / length), unit);
}
