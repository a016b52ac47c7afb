/**
 * Owns the dialog that asks "confirm that it is you": password, passkey, and
 * the second step after a password. An account without a password is asked for
 * a passkey and nothing else. Must never keep the password beyond the attempt,
 * nor do what was asked for: whoever asked does.
 */
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { continueSignIn, listFactors, reauthenticate } from "../calls.account.ts";
import { t } from "../language.ts";
import { passkeysWork, usePasskey } from "../passkeys.ts";
import type { SecondStep } from "../types.account.ts";
import { useValv } from "../valv.ts";
import { Form, PasswordField, Submit } from "./form.tsx";
import { Problem } from "./notice.tsx";
import { useReading } from "./reading.ts";
import { SecondStepForm } from "./second-step.tsx";
import { faultOf, useTask } from "./task.ts";

/** The dialog, while somebody asks. */
export function Prove() {
  const { proof, session } = useValv();
  return proof.asked.value && session.state.value.kind === "in" ? <ProveDialog /> : null;
}

function ProveDialog() {
  const { proof } = useValv();
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  const [step, setStep] = useState<SecondStep>();
  const [over, setOver] = useState<unknown>();
  const proved = useRef(false);
  useEffect(() => {
    dialog.current?.showModal();
    // Gone for whatever reason, a session's end among them: nobody may wait for ever.
    return () => proof.answer(proved.current);
  }, [proof]);
  const done = () => {
    proved.current = true;
    dialog.current?.close();
  };
  return (
    <dialog ref={dialog} class="dialog" aria-labelledby={id} onClose={() => proof.answer(proved.current)}>
      <h2 id={id}>{t("prove.title")}</h2>
      {step ? (
        <SecondStepForm
          step={step}
          onDone={done}
          onOver={(error) => {
            setOver(error);
            setStep(undefined);
          }}
        />
      ) : (
        <FirstProofForm over={over} onNext={setStep} onDone={done} />
      )}
      <div class="dialog__actions">
        <button type="button" class="button" onClick={() => dialog.current?.close()}>
          {t("action.cancel")}
        </button>
      </div>
    </dialog>
  );
}

const WRONG = ["BAD_CREDENTIALS"];

function FirstProofForm(props: {
  readonly over: unknown;
  readonly onNext: (step: SecondStep) => void;
  readonly onDone: () => void;
}) {
  const { api, session } = useValv();
  const [password, setPassword] = useState("");
  const held = useReading(() => listFactors(api));
  const task = useTask();
  const wrong = faultOf(task.error, WRONG, "prove");
  const error = task.error ?? (task.busy ? undefined : props.over);
  const submit = () =>
    task.run(async () => {
      const given = password;
      setPassword("");
      const answer = await session.learn(reauthenticate(api, { password: given }));
      if (answer.next) props.onNext(answer.next);
      else props.onDone();
    });
  const withPasskey = () =>
    task.run(async () => {
      const { next } = await reauthenticate(api, {});
      const passkeyJson = await usePasskey(next?.passkeyOptionsJson ?? "{}");
      await session.learn(continueSignIn(api, next?.challenge ?? "", { passkeyJson }));
      props.onDone();
    });
  const email = session.state.value.kind === "in" ? session.state.value.session.email : "";
  // Not known, because the answer failed to come: then whichever they have.
  if (!held.value && !held.error) return <p>{t("prove.text")}</p>;
  if (held.value && !held.value.hasPassword)
    return (
      <>
        <p>{t("prove.text")}</p>
        <Problem error={error} />
        <Form busy={task.busy} onSubmit={() => void withPasskey()}>
          <Submit busy={task.busy} focus>
            {t("prove.passkeyOnly")}
          </Submit>
        </Form>
      </>
    );
  return (
    <>
      <p>{t("prove.text")}</p>
      {!wrong && <Problem error={error} />}
      <Form busy={task.busy} onSubmit={() => void submit()}>
        {/* For password managers: whose password this is. */}
        <input type="text" class="visually-hidden" autocomplete="username" value={email} readOnly tabIndex={-1} aria-hidden="true" />
        <PasswordField
          label={t("field.password")}
          value={password}
          onValue={setPassword}
          autoComplete="current-password"
          error={wrong}
          focus
        />
        <Submit busy={task.busy}>{t("prove.submit")}</Submit>
      </Form>
      {passkeysWork() && (
        <button type="button" class="button" aria-disabled={task.busy} onClick={() => void withPasskey()}>
          {t("prove.passkey")}
        </button>
      )}
    </>
  );
}
