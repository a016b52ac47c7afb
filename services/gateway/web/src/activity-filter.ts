/**
 * Owns what a person may look for in their activity, and how the server is
 * asked for it. Must never keep it longer than the page.
 */
import { actions } from "./events.ts";

/** What is looked for; empty fields ask for nothing. */
export interface Filter {
  /** An action, or an area and ".*". */
  readonly what: string;
  readonly outcome: string;
  /** Kind of actor. */
  readonly who: string;
  /** Id of what it was done to. */
  readonly object: string;
  /** First and last day, in the reader's own zone: "2026-01-31". */
  readonly from: string;
  readonly to: string;
}

/** Asks for everything. */
export const EVERYTHING: Filter = { what: "", outcome: "", who: "", object: "", from: "", to: "" };

/** The areas that events about customers belong to. */
export const AREAS = ["auth", "files", "billing", "audit"] as const;

/** Events of an area that the reader's language has words for. */
export const actionsOf = (area: string): readonly string[] => actions().filter((action) => action.startsWith(`${area}.`));

/** Tells whether the filter asks for less than everything. */
export const narrows = (filter: Filter): boolean => Object.values(filter).some((value) => value !== "");

/** The filter as the server's query has it. */
export function queryOf(filter: Filter): Readonly<Record<string, string>> {
  const area = filter.what.endsWith(".*") ? filter.what.slice(0, -2) : "";
  const asked = {
    area,
    action: area ? "" : filter.what,
    outcome: filter.outcome,
    actorKind: filter.who,
    object: filter.object.trim(),
    fromTime: filter.from && midnight(filter.from, 0),
    toTime: filter.to && midnight(filter.to, 1),
  };
  return Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== ""));
}

/** The instant a day begins for the reader, or that many days later. */
function midnight(day: string, later: number): string {
  const time = new Date(`${day}T00:00:00`);
  time.setDate(time.getDate() + later);
  return time.toISOString();
}
