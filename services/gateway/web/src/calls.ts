/**
 * Owns the addresses of the API: one function per method of the contracts that
 * this client uses; those of accounts are in `calls.account.ts`. Must never hold state.
 */
import { type Filter, queryOf } from "./activity-filter.ts";
import type { Api } from "./api.ts";
import type { ActivityPage, Card, CardSetup, ChargePage, FilePage, Practice } from "./types.ts";

const PAGE_SIZE = "25";

function page(path: string, token: string, filter: Readonly<Record<string, string>> = {}): string {
  const query = new URLSearchParams({ pageSize: PAGE_SIZE, ...filter });
  if (token) query.set("pageToken", token);
  return `${path}?${query.toString()}`;
}

/** Lists files, newest first. */
export const listFiles = (api: Api, token: string) => api.call<FilePage>("GET", page("/v1/files", token));

/** Deletes a file for good. */
export const deleteFile = (api: Api, file: string) => api.call("DELETE", `/v1/files/${encodeURIComponent(file)}`);

/** Where a file's bytes are. */
export const contentPath = (file: string): string => `/v1/files/${encodeURIComponent(file)}/content`;

/** Where a new file of this name goes. */
export const uploadPath = (name: string): string =>
  `/v1/files:upload?${new URLSearchParams({ displayName: name }).toString()}`;

const EXPORT_PAGE_SIZE = "200";

/** Returns a page of what one service holds about the caller: "account", "billing", "activity" or "files". */
export const exportPart = (api: Api, part: string, token: string) => {
  const query = new URLSearchParams({ pageSize: EXPORT_PAGE_SIZE });
  if (token) query.set("pageToken", token);
  return api.call<Record<string, unknown>>("GET", `/v1/${part}:export?${query.toString()}`);
};

/** Begins to add a card. */
export const setUpCard = (api: Api) => api.call<CardSetup>("POST", "/v1/cards:setUp", { body: {} });

/** Keeps the card of a finished set-up. */
export const createCard = (api: Api, setupId: string) =>
  api.call<{ card: Card }>("POST", "/v1/cards", { body: { setupId } });

/** Lists cards, newest first. */
export const listCards = async (api: Api): Promise<readonly Card[]> =>
  (await api.call<{ cards?: readonly Card[] }>("GET", "/v1/cards")).cards ?? [];

/** Removes a card here and at the payment gateway. */
export const deleteCard = (api: Api, card: string) => api.call("DELETE", `/v1/cards/${encodeURIComponent(card)}`);

/** Lists charges, newest first. */
export const listCharges = (api: Api, token: string) => api.call<ChargePage>("GET", page("/v1/charges", token));

/** Lists the events about the caller that answer the filter, newest first. */
export const listActivity = (api: Api, token: string, filter: Filter) =>
  api.call<ActivityPage>("GET", page("/v1/activity", token, queryOf(filter)));

/** The form of a download (valv.audit.v1.DownloadActivityRequest.Format). */
export type DownloadFormat = "FORMAT_CSV" | "FORMAT_JSONL" | "FORMAT_RECEIPTS";

/** The header that leads to a download's next page. */
export const NEXT_PAGE = "valv-next-page-token";

/** Where a page of a download is. */
export function downloadPath(format: DownloadFormat, filter: Filter, token: string): string {
  const query = new URLSearchParams({ format, ...queryOf(filter) });
  if (token) query.set("pageToken", token);
  return `/v1/activity:download?${query.toString()}`;
}

/** Where an event's receipt is. */
export const receiptPath = (event: string): string => `/v1/activity/${encodeURIComponent(event)}/receipt`;

/** Where the receipt of a live check's latest result is. Public. */
export const evidencePath = (check: string): string => `/v1/practices/${encodeURIComponent(check)}/receipt`;

/** Lists the promises with the state of their live checks. Public. */
export const listPractices = async (api: Api): Promise<readonly Practice[]> => {
  const options = { anonymous: true, passive: true };
  return (await api.call<{ practices?: readonly Practice[] }>("GET", "/v1/practices", options)).practices ?? [];
};

/** Returns the log's verifier key. Public. */
export const logKey = async (api: Api): Promise<string> =>
  (await api.text("GET", "/log/key", { anonymous: true, passive: true })).trim();
