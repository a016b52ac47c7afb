/**
 * Owns taking one's activity along as a file: page after page from the server,
 * put together in this browser. Must never leave a file half made behind.
 */
import type { Filter } from "./activity-filter.ts";
import type { Api } from "./api.ts";
import type { Entry } from "./archive.ts";
import { type DownloadFormat, downloadPath, NEXT_PAGE } from "./calls.ts";

/** What a download is given. */
export interface DownloadOptions {
  readonly format: DownloadFormat;
  readonly filter: Filter;
  /** Says what the archive of receipts holds, to who opens it. */
  readonly readme: string;
  readonly signal: AbortSignal;
  /** Told how many events there are so far. */
  readonly progress: (events: number) => void;
}

/** The media type of each form. */
const TYPES: Readonly<Record<DownloadFormat, string>> = {
  FORMAT_CSV: "text/csv;charset=utf-8",
  FORMAT_JSONL: "application/jsonl",
  FORMAT_RECEIPTS: "application/zip",
};

/** How the file's name ends. */
export const ENDINGS: Readonly<Record<DownloadFormat, string>> = {
  FORMAT_CSV: "csv",
  FORMAT_JSONL: "jsonl",
  FORMAT_RECEIPTS: "zip",
};

interface Row {
  readonly event_id: string;
  readonly receipt?: string;
}

/** Makes the file. */
export async function makeDownload(api: Api, options: DownloadOptions): Promise<Blob> {
  if (options.format === "FORMAT_RECEIPTS") {
    const { downloadZip } = await import("client-zip");
    return await downloadZip(receipts(api, options)).blob();
  }
  const parts: string[] = [];
  for await (const part of pages(api, options)) parts.push(part);
  return new Blob(parts, { type: TYPES[options.format] });
}

/** Yields what goes into the archive of receipts: each receipt as a file, and the events they are of. */
export async function* receipts(api: Api, options: DownloadOptions): AsyncGenerator<Entry> {
  yield { name: "README.txt", input: options.readme };
  const events: string[] = [];
  for await (const part of pages(api, options)) {
    for (const line of part.split("\n").filter(Boolean)) {
      const { receipt, ...event } = JSON.parse(line) as Row;
      events.push(`${JSON.stringify(event)}\n`);
      if (receipt) yield { name: `receipts/${event.event_id}.txt`, input: receipt };
    }
  }
  yield { name: "activity.jsonl", input: events.join("") };
}

/** Yields the pages of the file. */
async function* pages(api: Api, { format, filter, signal, progress }: DownloadOptions): AsyncGenerator<string> {
  let token = "";
  let events = format === "FORMAT_CSV" ? -1 : 0;
  do {
    signal.throwIfAborted();
    const response = await api.stream(downloadPath(format, filter, token), signal);
    const text = await response.text();
    events += text.split("\n").length - 1;
    progress(Math.max(0, events));
    yield text;
    token = response.headers.get(NEXT_PAGE) ?? "";
  } while (token);
}
