/**
 * Owns asking before something that cannot be undone, with the browser's own
 * dialog (focus, Escape and inertness are its work). Must never act by itself.
 */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { t } from "../language.ts";
import { Problem } from "./notice.tsx";

/** Props of a question. */
export interface ConfirmProps {
  readonly title: string;
  readonly children: ComponentChildren;
  /** The verb on the button that does it. */
  readonly verb: string;
  /** Does it. A rejection is shown in the dialog, which stays. */
  readonly onConfirm: () => Promise<void>;
  /** Told whether it was done. */
  readonly onClose: (done: boolean) => void;
}

/** A modal question; the safe answer has the focus. */
export function Confirm({ title, children, verb, onConfirm, onClose }: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  const [busy, setBusy] = useState(false);
  const done = useRef(false);
  const [error, setError] = useState<unknown>();
  useEffect(() => dialog.current?.showModal(), []);
  const confirm = async () => {
    if (busy) return;
    setBusy(true);
    try {
      await onConfirm();
      done.current = true;
      dialog.current?.close();
    } catch (caught) {
      setError(caught);
      setBusy(false);
    }
  };
  return (
    <dialog ref={dialog} class="dialog" aria-labelledby={id} onClose={() => onClose(done.current)}>
      <h2 id={id}>{title}</h2>
      {children}
      <Problem error={error} />
      <div class="dialog__actions">
        <button type="button" class="button" autofocus onClick={() => dialog.current?.close()}>
          {t("action.cancel")}
        </button>
        <button type="button" class="button button--danger" aria-disabled={busy} onClick={() => void confirm()}>
          {verb}
        </button>
      </div>
    </dialog>
  );
}
