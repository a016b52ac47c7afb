/**
 * Owns one answer that a page shows: asking for it, and asking again. Must
 * never show an older answer over a newer one.
 */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";

/** An answer, as far as it is known. */
export interface Reading<T> {
  readonly value: T | undefined;
  readonly error: unknown;
  /** Asks again; what is shown stays until the answer comes. */
  readonly reload: () => Promise<void>;
}

/** Asks once at first, and again when told to. */
export function useReading<T>(ask: () => Promise<T>): Reading<T> {
  const [value, setValue] = useState<T>();
  const [error, setError] = useState<unknown>();
  const turn = useRef(0);
  const latest = useRef(ask);
  latest.current = ask;
  const reload = useCallback(async () => {
    turn.current += 1;
    const mine = turn.current;
    try {
      const got = await latest.current();
      if (mine !== turn.current) return;
      setValue(got);
      setError(undefined);
    } catch (caught) {
      if (mine === turn.current) setError(caught);
    }
  }, []);
  useEffect(() => void reload(), [reload]);
  return { value, error, reload };
}
