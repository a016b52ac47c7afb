/**
 * Owns putting a person's data together, in their own browser: what each
 * service holds about them, the receipt of every event, and their files, as
 * one archive. Must never send any of it anywhere.
 */
import type { Api } from "./api.ts";
import { ApiError } from "./api.ts";
import { contentPath, exportPart } from "./calls.ts";
import type { StoredFile } from "./types.ts";

/** One thing that goes into the archive. */
export interface Entry {
  readonly name: string;
  readonly input: string | ReadableStream<Uint8Array>;
  readonly lastModified?: Date;
}

/** How far it is: files so far, and of how many; unknown before they are counted. */
export interface Progress {
  readonly done: number;
  readonly total: number | undefined;
}

/** What the export is given. */
export interface ArchiveOptions {
  /** Says what the archive holds, to who opens it. */
  readonly readme: string;
  readonly signal: AbortSignal;
  readonly progress: (progress: Progress) => void;
}

type Json = Record<string, unknown>;

/** Reads a part page by page, and puts its lists together. */
async function whole(api: Api, part: string, signal: AbortSignal): Promise<Json> {
  let all: Json = {};
  let token = "";
  do {
    signal.throwIfAborted();
    const { nextPageToken, ...page } = await exportPart(api, part, token);
    all = joined(all, page);
    token = String(nextPageToken ?? "");
  } while (token);
  return all;
}

/** Appends the lists of a page to those before; what is no list is as in the page that has it. */
export function joined(all: Json, page: Json): Json {
  const lists = Object.entries(page).map(([key, value]) => {
    const before = all[key];
    return [key, Array.isArray(before) && Array.isArray(value) ? [...before, ...value] : value];
  });
  return { ...all, ...Object.fromEntries(lists) };
}

/** What is not safe in a file name on some system, or would leave the folder. */
const UNSAFE = /[\u0000-\u001f\u007f<>:"/\\|?*]/gu;

/** Returns names for a folder, each once and none that leads out of it, in the order given. */
export function namesIn(folder: string, wanted: readonly string[]): readonly string[] {
  const taken = new Set<string>();
  return wanted.map((name) => {
    const safe = name.replace(UNSAFE, "_").replace(/^\.+|[. ]+$/gu, "") || "_";
    const point = safe.lastIndexOf(".");
    const [stem, end] = point > 0 ? [safe.slice(0, point), safe.slice(point)] : [safe, ""];
    let free = safe;
    for (let count = 2; taken.has(free.toLowerCase()); count += 1) free = `${stem} (${count})${end}`;
    taken.add(free.toLowerCase());
    return `${folder}/${free}`;
  });
}

interface ExportedActivity {
  readonly activity?: { readonly event?: { readonly eventId?: string } };
  readonly receipt?: string;
}

/** Yields everything, in the order of the archive; files are read only as they are asked for. */
export async function* entries(api: Api, options: ArchiveOptions): AsyncGenerator<Entry> {
  const { signal, progress, readme } = options;
  progress({ done: 0, total: undefined });
  yield { name: "README.txt", input: readme };
  yield { name: "account.json", input: text(await whole(api, "account", signal)) };
  yield { name: "billing.json", input: text(await whole(api, "billing", signal)) };
  const { activities, ...rest } = await whole(api, "activity", signal);
  const events = (activities ?? []) as readonly ExportedActivity[];
  yield { name: "activity.json", input: text({ ...rest, activities: events.map(({ activity }) => activity) }) };
  for (const { activity, receipt } of events) {
    if (receipt) yield { name: `receipts/${activity?.event?.eventId}.txt`, input: receipt };
  }
  const particulars = await whole(api, "files", signal);
  yield { name: "files.json", input: text(particulars) };
  yield* contents(api, (particulars["files"] ?? []) as readonly StoredFile[], options);
}

async function* contents(api: Api, files: readonly StoredFile[], options: ArchiveOptions): AsyncGenerator<Entry> {
  const names = namesIn("files", files.map((file) => file.displayName));
  for (const [index, file] of files.entries()) {
    options.progress({ done: index, total: files.length });
    const input = await contentOf(api, file, options.signal);
    if (input) yield { name: names[index] ?? file.fileId, input, lastModified: new Date(file.createTime) };
  }
  options.progress({ done: files.length, total: files.length });
}

/** The bytes; undefined when the file was deleted since it was listed. */
async function contentOf(api: Api, file: StoredFile, signal: AbortSignal): Promise<Entry["input"] | undefined> {
  try {
    return (await api.stream(contentPath(file.fileId), signal)).body ?? "";
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

const text = (json: unknown) => `${JSON.stringify(json, null, 2)}\n`;

/** Makes the archive. The browser keeps what is large on its disk until it is saved. */
export async function makeArchive(api: Api, options: ArchiveOptions): Promise<Blob> {
  const { downloadZip } = await import("client-zip");
  return await downloadZip(entries(api, options)).blob();
}
