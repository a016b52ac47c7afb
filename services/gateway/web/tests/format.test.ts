/** Amounts, sizes and times are written as people of the language write them. */
import { beforeEach, describe, expect, it } from "vitest";
import { ago, countdown, money, size } from "../src/format.ts";
import { language, plural } from "../src/language.ts";

const plain = (text: string) => text.replace(/[\u00a0\u202f]/g, " ");

beforeEach(() => {
  language.value = "en";
});

describe("an amount", () => {
  it.each([
    ["sek", "24900", "SEK 249.00"],
    ["usd", "5", "$0.05"],
    ["usd", undefined, "$0.00"],
    ["jpy", "1500", "¥1,500"],
    ["kwd", "1234", "KWD 1.234"],
    ["usd", "9007199254740993", "$90,071,992,547,409.93"],
  ])("of %s %s is %s", (currency, minor, written) => {
    expect(plain(money(currency, minor))).toBe(written);
  });

  it("follows the language", () => {
    language.value = "sv";
    expect(plain(money("sek", "129900"))).toBe("1 299,00 kr");
  });
});

describe("a size", () => {
  it.each([
    ["0", "0 bytes"],
    ["1", "1 byte"],
    ["999", "999 bytes"],
    ["1000", "1 kB"],
    ["1500", "1.5 kB"],
    ["999999", "1 MB"],
    ["5000000000", "5 GB"],
    ["10737418240", "10.7 GB"],
  ])("of %s bytes is %s", (bytes, written) => {
    expect(size(bytes)).toBe(written);
  });
});

it("counts down in minutes and seconds", () => {
  expect([1800, 61, 0, 43_200].map(countdown)).toEqual(["30:00", "01:01", "00:00", "12:00:00"]);
});

it("says how long ago a check ran, never in the future", () => {
  const now = Date.parse("2026-01-01T12:00:00Z");
  expect(ago("2026-01-01T11:58:30Z", now)).toBe("1 minute ago");
  expect(ago("2025-12-31T12:00:00Z", now)).toBe("yesterday");
  expect(ago("2026-01-01T12:00:05Z", now)).toBe("now");
});

it("uses the plural that a number has", () => {
  expect(plural("newPassword.missing", 1)).toBe("1 more character");
  expect(plural("newPassword.missing", 2)).toBe("2 more characters");
});
