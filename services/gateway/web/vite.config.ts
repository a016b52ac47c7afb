/**
 * Owns how the client is built: hashed names, nothing inline (the page's CSP
 * allows neither inline script nor style), and `routes.json`, the paths on
 * which the edge serves `index.html`. Must never add a file from elsewhere.
 */
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";
import { paths } from "./src/routes.ts";

/** Writes the client's routes beside the build, from the one table the client itself uses. */
function routeList(): Plugin {
  return {
    name: "valv-route-list",
    generateBundle() {
      this.emitFile({ type: "asset", fileName: "routes.json", source: `${JSON.stringify(paths)}\n` });
    },
  };
}

export default defineConfig({
  plugins: [routeList()],
  oxc: { jsx: { runtime: "automatic", importSource: "preact", development: false } },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: { host: "127.0.0.1" },
  test: { environment: "happy-dom", include: ["tests/**/*.test.{ts,tsx}"], setupFiles: ["tests/languages.ts"] },
});
