/**
 * Owns asking before something that cannot be undone, with the browser's own
 * dialog (focus, Escape and inertness are its work). Must never act by itself.
 */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { t } from "../language.ts";
import { Form } from "./form.tsx";
import { Problem } from "./notice.tsx";
import { type Task, useTask } from "./task.ts";

/** Props of a question. */
export interface ConfirmProps {
  readonly title: string;
  readonly children: ComponentChildren;
  /** The verb on the button that does it. */
  readonly verb: string;
  /** Does it. A rejection is shown in the dialog, which stays. */
  readonly onConfirm: () => Promise<unknown>;
  /** Told whether it was done. */
  readonly onClose: (done: boolean) => void;
  /** Says whether what is asked for in the dialog is there. */
  readonly ready?: () => boolean;
  /** What is under way, for who shows a part of its errors beside a field. */
  readonly task?: Task;
  /** The error is shown beside a field. */
  readonly shown?: boolean;
}

/** A modal question; the safe answer has the focus. */
export function Confirm(props: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  const own = useTask();
  const task = props.task ?? own;
  const done = useRef(false);
  useEffect(() => dialog.current?.showModal(), []);
  const confirm = async () => {
    if (props.ready && !props.ready()) return;
    if (!(await task.run(props.onConfirm))) return;
    done.current = true;
    dialog.current?.close();
  };
  return (
    <dialog ref={dialog} class="dialog" aria-labelledby={id} onClose={() => props.onClose(done.current)}>
      <Form busy={task.busy} onSubmit={() => void confirm()}>
        <h2 id={id}>{props.title}</h2>
        {props.children}
        {!props.shown && <Problem error={task.error} />}
        <div class="dialog__actions">
          <button type="button" class="button" autofocus onClick={() => dialog.current?.close()}>
            {t("action.cancel")}
          </button>
          <button type="submit" class="button button--danger" aria-disabled={task.busy}>
            {props.verb}
          </button>
        </div>
      </Form>
    </dialog>
  );
}
