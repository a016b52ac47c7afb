/** Loads every language before a test of pages: they switch between them. Tests without a page have none to show. */
if (typeof document !== "undefined") {
  const { languages, load } = await import("../src/language.ts");
  await Promise.all(languages.map(load));
}

export {};
