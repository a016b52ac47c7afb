/**
 * Owns the second step of a sign-in: a code from an app, a passkey, or a
 * recovery code, for one challenge. Must never say more of a wrong one than
 * the server does.
 */
import { useState } from "preact/hooks";
import { ApiError } from "../api.ts";
import { continueSignIn } from "../calls.account.ts";
import { type Key, t } from "../language.ts";
import { usePasskey } from "../passkeys.ts";
import type { FactorKind, SecondProof, SecondStep } from "../types.account.ts";
import { useValv } from "../valv.ts";
import { Field, Form, Submit } from "./form.tsx";
import { Problem } from "./notice.tsx";
import { faultOf, type Task, useTask } from "./task.ts";

/** Props of the step. */
export interface SecondStepProps {
  readonly step: SecondStep;
  /** The session is open. */
  readonly onDone: () => void;
  /** The challenge is over: the first step has to be taken again. */
  readonly onOver: (error: unknown) => void;
}

const others: Readonly<Record<FactorKind, Key>> = {
  FACTOR_TOTP: "second.useTotp",
  FACTOR_PASSKEY: "second.usePasskey",
  FACTOR_RECOVERY_CODE: "second.useRecovery",
};

/** The step, beginning with the factor the server names first. */
export function SecondStepForm({ step, onDone, onOver }: SecondStepProps) {
  const { api, session } = useValv();
  const factors = step.factors ?? [];
  const [factor, setFactor] = useState<FactorKind>(factors[0] ?? "FACTOR_TOTP");
  const task = useTask();

  const answer = (proof: () => Promise<SecondProof>) =>
    void task.run(async () => {
      const given = await proof();
      try {
        await session.learn(continueSignIn(api, step.challenge, given));
      } catch (error) {
        if (error instanceof ApiError && error.reason === "CHALLENGE_NOT_VALID") onOver(error);
        else throw error;
        return;
      }
      onDone();
    });

  return (
    <div class="steps" data-testid="second-step">
      {factor === "FACTOR_PASSKEY" ? (
        <PasskeyStep task={task} onAnswer={() => answer(() => passkeyProof(step))} />
      ) : (
        <CodeStep key={factor} factor={factor} task={task} onAnswer={(proof) => answer(async () => proof)} />
      )}
      <ul class="steps__others">
        {factors
          .filter((other) => other !== factor)
          .map((other) => (
            <li key={other}>
              <button type="button" class="link" onClick={() => setFactor(other)}>
                {t(others[other])}
              </button>
            </li>
          ))}
      </ul>
    </div>
  );
}

async function passkeyProof(step: SecondStep): Promise<SecondProof> {
  return { passkeyJson: await usePasskey(step.passkeyOptionsJson ?? "{}") };
}

function PasskeyStep({ task, onAnswer }: { readonly task: Task; readonly onAnswer: () => void }) {
  return (
    <Form busy={task.busy} onSubmit={onAnswer}>
      <p>{t("second.passkeyText")}</p>
      <Problem error={task.error} />
      <Submit busy={task.busy} focus>
        {t("second.passkeySubmit")}
      </Submit>
    </Form>
  );
}

const NOT_VALID = ["SECOND_FACTOR_NOT_VALID"];

function CodeStep(props: {
  readonly factor: Exclude<FactorKind, "FACTOR_PASSKEY">;
  readonly task: Task;
  readonly onAnswer: (proof: SecondProof) => void;
}) {
  const { factor, task, onAnswer } = props;
  const [code, setCode] = useState("");
  const [tried, setTried] = useState(false);
  const isTotp = factor === "FACTOR_TOTP";
  const typed = code.replace(/\s/gu, "");
  const missing = tried && typed === "" ? t("second.missing") : undefined;
  const wrong = faultOf(task.error, NOT_VALID, isTotp ? "totp" : "recovery");
  const submit = () => {
    setTried(true);
    if (typed) onAnswer(isTotp ? { totpCode: typed } : { recoveryCode: typed });
  };
  return (
    <Form busy={task.busy} onSubmit={submit}>
      <p>{t(isTotp ? "second.totpText" : "second.recoveryText")}</p>
      {!wrong && <Problem error={task.error} />}
      <Field
        label={t(isTotp ? "second.totpCode" : "second.recoveryCode")}
        value={code}
        onValue={setCode}
        autoComplete={isTotp ? "one-time-code" : "off"}
        keys={isTotp ? "numeric" : "text"}
        error={missing ?? wrong}
        focus
      />
      <Submit busy={task.busy}>{t("second.submit")}</Submit>
    </Form>
  );
}
