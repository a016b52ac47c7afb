// @vitest-environment node
/** The catalogs hold every sentence, in every language, and pages hold none. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseSync } from "vite";
import { describe, expect, it } from "vitest";
import { en } from "../src/catalog/en.ts";
import { sv } from "../src/catalog/sv.ts";

const root = join(import.meta.dirname, "..");
const placeholders = (sentence: string) => [...sentence.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();

function sources(folder: string, ending: RegExp): readonly string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => ending.test(name))
    .map((name) => join(root, folder, name));
}

describe("the catalogs", () => {
  it("have the same keys", () => {
    expect(Object.keys(sv).sort()).toEqual(Object.keys(en).sort());
  });

  it("have words for every key", () => {
    for (const [key, sentence] of Object.entries({ ...en, ...sv })) expect(sentence.trim(), key).not.toBe("");
  });

  it("have the same placeholders in every language", () => {
    for (const key of Object.keys(en) as (keyof typeof en)[]) {
      // "one" may do without the number in some languages; "other" may not.
      expect(placeholders(sv[key]), key).toEqual(placeholders(en[key]));
    }
  });

  it("have a singular for every plural", () => {
    const other = Object.keys(en).filter((key) => key.endsWith(".other") && key !== "decline.other");
    for (const key of other) expect(en, key).toHaveProperty([key.replace(/other$/, "one")]);
  });

  it("have no key that nothing asks for", () => {
    const text = sources("src", /\.tsx?$/)
      .filter((path) => !path.includes("catalog"))
      .map((path) => readFileSync(path, "utf8"))
      .join("\n");
    const made = /^(done|tried|why|problem|decline|brand|check|service|promise|mailLanguage\.name)\./;
    const plurals = (key: string) => key.replace(/\.(one|other)$/, "");
    const named = Object.keys(en).filter((key) => !made.test(key) && !key.startsWith("nav."));
    for (const key of named) expect(text.includes(`"${plurals(key)}"`), key).toBe(true);
  });

  it("have words for every action the contracts record, done and tried", () => {
    const protos = join(root, "../../../protos/valv");
    const actions = readdirSync(protos, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".proto"))
      .flatMap((name) => [...readFileSync(join(protos, name), "utf8").matchAll(/action: "([\w.]+)"/g)])
      .map((match) => match[1]);
    expect(actions).toContain("auth.session.open");
    for (const action of actions) {
      expect(en, action).toHaveProperty([`done.${action}`]);
      expect(en, action).toHaveProperty([`tried.${action}`]);
    }
  });
});

describe("the security page", () => {
  it("has words for every promise and every live check that the audit service serves", () => {
    const table = readFileSync(join(root, "../../kit/practices.py"), "utf8");
    const checks = [...table.matchAll(/f?"(?:\{role\}|[a-z]+)\.([a-z_]+)"/g)].map((match) => `check.${match[1]}`);
    expect(checks).toContain("check.password_parameters");
    expect(checks).toContain("check.listeners");
    expect(Object.keys(en).filter((key) => key.startsWith("check.")).sort()).toEqual([...new Set(checks)].sort());
    const promises = Array.from({ length: 15 }, (_, index) => `promise.P${index + 1}`);
    for (const key of [...checks, ...promises.flatMap((name) => [`${name}.title`, `${name}.text`])]) {
      expect(en, key).toHaveProperty([key]);
    }
  });
});

interface Node {
  readonly type: string;
  readonly value?: unknown;
  readonly name?: { readonly name?: unknown };
}

const isSentence = (text: unknown) => typeof text === "string" && /\p{L}{2,}/u.test(text);
const spoken = new Set(["aria-label", "aria-valuetext", "alt", "title", "placeholder", "label", "lead", "verb"]);

function spokenWords(node: unknown, found: string[] = []): readonly string[] {
  if (Array.isArray(node)) for (const child of node) spokenWords(child, found);
  else if (typeof node === "object" && node !== null) {
    const { type, value, name } = node as Node;
    if (type === "JSXText" && isSentence(value)) found.push(String(value));
    if (type === "JSXAttribute" && spoken.has(String(name?.name))) {
      const literal = (value as Node | null)?.value;
      if (isSentence(literal)) found.push(String(literal));
    }
    for (const child of Object.values(node)) spokenWords(child, found);
  }
  return found;
}

const spokenIn = (path: string, text: string) => spokenWords(parseSync(path, text).program);

describe("pages and parts", () => {
  it("would be caught with a sentence of their own", () => {
    expect(spokenIn("a.tsx", "const a = <p>Hello there</p>;")).toEqual(["Hello there"]);
    expect(spokenIn("a.tsx", 'const a = <img alt="A picture" />;')).toEqual(["A picture"]);
    expect(spokenIn("a.tsx", 'const a = <p class="small">{t("brand")} · </p>;')).toEqual([]);
  });

  it("put no text into the page as markup", () => {
    for (const path of sources("src", /\.tsx?$/)) {
      expect(/dangerouslySetInnerHTML|innerHTML|insertAdjacentHTML/.test(readFileSync(path, "utf8")), path).toBe(false);
    }
  });

  it("hold no sentence", () => {
    const files = sources("src", /\.tsx$/);
    expect(files.length).toBeGreaterThan(10);
    for (const path of files) expect(spokenIn(path, readFileSync(path, "utf8")), path).toEqual([]);
  });
});
