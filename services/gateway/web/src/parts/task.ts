/**
 * Owns one thing under way at a time: whether it is, and how it failed. Must
 * never begin a second while the first is under way.
 */
import { useRef, useState } from "preact/hooks";
import { ApiError } from "../api.ts";
import { tell } from "../problems.ts";

/** Something that a person asked for. */
export interface Task {
  readonly busy: boolean;
  readonly error: unknown;
  /** Does it, unless something is under way. Resolves to whether it was done. */
  readonly run: (work: () => Promise<unknown>) => Promise<boolean>;
}

/** Keeps one thing under way. */
export function useTask(): Task {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const running = useRef(false);
  const run = async (work: () => Promise<unknown>) => {
    if (running.current) return false;
    running.current = true;
    setBusy(true);
    setError(undefined);
    try {
      await work();
      return true;
    } catch (caught) {
      setError(caught);
      return false;
    } finally {
      running.current = false;
      setBusy(false);
    }
  };
  return { busy, error, run };
}

/** Returns the sentence of an error that belongs beside a field, by its reasons; undefined when it does not. */
export function faultOf(error: unknown, reasons: readonly string[], context = ""): string | undefined {
  return error instanceof ApiError && reasons.includes(error.reason) ? tell(error, context).sentence : undefined;
}
