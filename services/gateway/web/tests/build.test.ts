// @vitest-environment node
/** The build keeps to the page's CSP: nothing inline, hashed names, small, and the edge knows every route. */
import { gzipSync } from "node:zlib";
import { join } from "node:path";
import { build } from "vite";
import { beforeAll, describe, expect, it } from "vitest";
import { paths } from "../src/routes.ts";

const files = new Map<string, string | Uint8Array>();
const MOST_SCRIPT_BYTES = 60_000;

beforeAll(async () => {
  const root = join(import.meta.dirname, "..");
  const result = await build({ root, mode: "production", logLevel: "error", build: { write: false } });
  if (!("output" in result)) throw new Error("not one build");
  for (const file of result.output) files.set(file.fileName, file.type === "chunk" ? file.code : file.source);
});

describe("the build", () => {
  it("has no inline script and no inline style", () => {
    const page = String(files.get("index.html"));
    expect(page.match(/<script(?![^>]*\bsrc=)/g)).toBeNull();
    expect(page).not.toMatch(/<style|\sstyle=|\son\w+=|javascript:/);
  });

  it("names every file but the page and the list of routes by its content", () => {
    const names = [...files.keys()].filter((name) => name !== "index.html" && name !== "routes.json");
    expect(names.length).toBeGreaterThan(1);
    for (const name of names) expect(name).toMatch(/^assets\/[\w-]+-[\w-]{8}\.(js|css|svg)$/);
  });

  it("loads nothing from elsewhere and evaluates no text", () => {
    const script = [...files].filter(([name]) => name.endsWith(".js")).map(([, body]) => String(body));
    expect(/\beval\(|new Function\(/.test(script.join(""))).toBe(false);
    expect(String(files.get("index.html"))).not.toMatch(/(src|href)="(https?:)?\/\//);
  });

  it("says nothing of the machine that made it", () => {
    const text = [...files.values()].map((body) => (typeof body === "string" ? body : ""));
    expect(text.join("").includes(import.meta.dirname.replace(/\/tests$/, ""))).toBe(false);
  });

  it.each(["en", "sv"])("is small for who reads it in one language: %s", (code) => {
    const scripts = [...files].filter(([name]) => name.endsWith(".js"));
    const ofLanguage = (name: string) => /^assets\/(en|sv)-/.exec(name)?.[1];
    expect(scripts.filter(([name]) => ofLanguage(name))).toHaveLength(2);
    const loaded = scripts.filter(([name]) => (ofLanguage(name) ?? code) === code);
    const bytes = loaded.reduce((sum, [, body]) => sum + gzipSync(body).length, 0);
    expect(bytes).toBeLessThan(MOST_SCRIPT_BYTES);
  });

  it("tells the edge its routes", () => {
    expect(JSON.parse(String(files.get("routes.json")))).toEqual(paths);
  });
});
