/**
 * Owns what pages are given: the API, the session, the uploads and the proof of who is there, through one context.
 * Must never build them; `main.tsx` does.
 */
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Api } from "./api.ts";
import type { Proof } from "./proof.ts";
import type { SessionKeeper } from "./session.ts";
import type { UploadQueue } from "./uploads.ts";

/** What every page may use. */
export interface Valv {
  readonly api: Api;
  readonly session: SessionKeeper;
  readonly proof: Proof;
  readonly uploads: UploadQueue;
}

const Context = createContext<Valv | null>(null);

/** Gives pages their collaborators. */
export const ValvProvider = Context.Provider;

/** Returns the collaborators that the composition root gave. */
export function useValv(): Valv {
  const valv = useContext(Context);
  if (!valv) throw new Error("No ValvProvider above");
  return valv;
}
