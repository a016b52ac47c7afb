/**
 * Owns the question before a factor is removed, with the new password that has
 * to come when the present one would be all that is left. Must never keep it.
 */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { number } from "../format.ts";
import { t } from "../language.ts";
import { Confirm } from "./dialog.tsx";
import { lengthFault, NewPasswordField, ofNewPassword } from "./new-password.tsx";
import { useTask } from "./task.ts";

/** Props of the question. */
export interface RemoveFactorProps {
  readonly title: string;
  readonly verb: string;
  readonly children: ComponentChildren;
  /** Least length of the password that has to come; 0 for none. */
  readonly least: number;
  readonly onConfirm: (newPassword: string | undefined) => Promise<unknown>;
  readonly onClose: (done: boolean) => void;
}

/** The question. */
export function RemoveFactor({ title, verb, children, least, onConfirm, onClose }: RemoveFactorProps) {
  const [wanted, setWanted] = useState("");
  const [tried, setTried] = useState(false);
  const task = useTask();
  const ready = () => {
    setTried(true);
    return least === 0 || !lengthFault(wanted, least);
  };
  return (
    <Confirm
      title={title}
      verb={verb}
      ready={ready}
      task={task}
      shown={ofNewPassword(task.error)}
      onConfirm={() => onConfirm(least > 0 ? wanted : undefined)}
      onClose={onClose}
    >
      {children}
      {least > 0 && (
        <>
          <p>{t("factor.passwordAlone", { least: number(least) })}</p>
          <NewPasswordField
            label={t("password.new")}
            value={wanted}
            onValue={setWanted}
            least={least}
            tried={tried}
            error={task.error}
          />
        </>
      )}
    </Confirm>
  );
}
