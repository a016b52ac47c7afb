/**
 * Owns lists that come in pages: fetching, appending, failing, and the button
 * for more. Must never know what the items are.
 */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { t } from "../language.ts";
import { Problem } from "./notice.tsx";

/** One page from the server. */
export interface Batch<T> {
  readonly items: readonly T[];
  /** Empty at the end. */
  readonly next: string;
}

/** A list that is being read. */
export interface Listing<T> {
  readonly items: readonly T[];
  readonly next: string;
  readonly loading: boolean;
  readonly loaded: boolean;
  readonly error: unknown;
  /** Reads the next page. */
  readonly more: () => void;
  /** Begins again; what is shown stays until the answer comes. */
  readonly reload: () => void;
  /** Changes what is shown by what an answer told, without asking again. */
  readonly change: (to: (items: readonly T[]) => readonly T[]) => void;
  /** There is nothing, for certain. */
  readonly empty: boolean;
}

/** Reads a list page by page. `fetch` is called once at first. */
export function useListing<T>(fetch: (token: string) => Promise<Batch<T>>): Listing<T> {
  const [batch, setBatch] = useState<Batch<T>>({ items: [], next: "" });
  const [loading, setLoading] = useState(true);
  const [loaded, setLoaded] = useState(false);
  const [error, setError] = useState<unknown>();
  const turn = useRef(0);
  const latest = useRef(fetch);
  latest.current = fetch;

  const read = useCallback(async (token: string, before: readonly T[]) => {
    turn.current += 1;
    const mine = turn.current;
    setLoading(true);
    setError(undefined);
    try {
      const got = await latest.current(token);
      if (mine !== turn.current) return;
      setBatch({ items: [...before, ...got.items], next: got.next });
      setLoaded(true);
    } catch (caught) {
      if (mine === turn.current) setError(caught);
    } finally {
      if (mine === turn.current) setLoading(false);
    }
  }, []);

  useEffect(() => void read("", []), [read]);
  return {
    ...batch,
    loading,
    loaded,
    error,
    more: () => void read(batch.next, batch.items),
    reload: () => void read("", []),
    change: (to) => setBatch((shown) => ({ ...shown, items: to(shown.items) })),
    empty: loaded && !loading && batch.items.length === 0,
  };
}

/** What stands below a list: its error, its waiting, or the button for more. */
export function ListFoot<T>({ listing }: { readonly listing: Listing<T> }) {
  const retry = () => (listing.loaded && listing.next ? listing.more() : listing.reload());
  return (
    <div class="list-foot">
      <Problem error={listing.error} retry={retry} />
      {!listing.loaded && listing.loading && <Waiting />}
      {listing.next && !listing.error && (
        <button type="button" class="button" aria-disabled={listing.loading} onClick={() => !listing.loading && listing.more()}>
          {t("action.showMore")}
        </button>
      )}
    </div>
  );
}

/** Says that something is on its way. */
export function Waiting() {
  return (
    <p class="waiting" role="status">
      <span class="spinner" aria-hidden="true" /> {t("state.loading")}
    </p>
  );
}
