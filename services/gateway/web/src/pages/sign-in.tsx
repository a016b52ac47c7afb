/**
 * Owns signing in, on its own address and in place of a page that needs it:
 * with a password and what may come after it, or with a passkey alone. Must
 * never keep the password beyond the attempt.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import { beginPasskeySignIn, continueSignIn, signIn } from "../calls.account.ts";
import { type Key, t } from "../language.ts";
import { Field, Form, PasswordField, Submit } from "../parts/form.tsx";
import { Icon } from "../parts/marks.tsx";
import { Notice, Problem } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";
import { SecondStepForm } from "../parts/second-step.tsx";
import { useTask } from "../parts/task.ts";
import { offerPasskey, passkeysAreOffered, passkeysWork, usePasskey } from "../passkeys.ts";
import { arrive, go, route } from "../router.ts";
import { pathOf } from "../routes.ts";
import type { SignedOutReason } from "../session.ts";
import type { SecondStep } from "../types.account.ts";
import { useValv } from "../valv.ts";

const reasons: Readonly<Record<SignedOutReason, Key | null>> = {
  none: null,
  ended: "signIn.ended",
  left: "signIn.left",
  unknown: "signIn.unknown",
};

/** The page that was asked for, now that somebody is signed in. */
function goOn(): void {
  if (route.value?.page === "signIn") go("/");
  else arrive();
}

/** Signing in, one step after the other. */
export function SignInPage() {
  const [step, setStep] = useState<SecondStep>();
  const [over, setOver] = useState<unknown>();
  const again = (error?: unknown) => {
    setOver(error);
    setStep(undefined);
  };
  if (!step) return <FirstStep over={over} onNext={setStep} />;
  return (
    <Page title={t("second.title")} narrow>
      <SecondStepForm step={step} onDone={goOn} onOver={again} />
      <p class="aside">
        <button type="button" class="link" onClick={() => again()}>
          {t("second.again")}
        </button>
      </p>
    </Page>
  );
}

/** The password, or a passkey alone. */
function FirstStep({ over, onNext }: { readonly over: unknown; readonly onNext: (step: SecondStep) => void }) {
  const { api, session } = useValv();
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const task = useTask();
  const state = session.state.value;
  const why = state.kind === "out" ? reasons[state.why] : null;
  const error = task.error ?? (task.busy ? undefined : over);

  const submit = () =>
    task.run(async () => {
      try {
        const answer = await session.learn(signIn(api, email.trim(), password));
        if (answer.next) onNext(answer.next);
        else goOn();
      } catch (caught) {
        setPassword("");
        throw caught;
      }
    });
  const finish = async (challenge: string, passkeyJson: string) => {
    await session.learn(continueSignIn(api, challenge, { passkeyJson }));
    goOn();
  };
  const offer = useOffer(async (signal) => {
    const { next } = await beginPasskeySignIn(api);
    const picked = await offerPasskey(next.passkeyOptionsJson ?? "{}", signal);
    await task.run(() => finish(next.challenge, picked));
  });
  const withPasskey = () => {
    // A browser asks for one thing at a time.
    offer.withdraw();
    return task.run(async () => {
      const { next } = await beginPasskeySignIn(api);
      await finish(next.challenge, await usePasskey(next.passkeyOptionsJson ?? "{}"));
    });
  };

  return (
    <Page title={t("signIn.title")} narrow>
      {why && !error && <Notice>{t(why)}</Notice>}
      <Problem error={error} context="signIn" />
      <Form busy={task.busy} onSubmit={() => void submit()}>
        <Field
          label={t("field.email")}
          type="email"
          value={email}
          onValue={setEmail}
          autoComplete="username webauthn"
          onFocus={() => void offer.make()}
        />
        <PasswordField
          label={t("field.password")}
          value={password}
          onValue={setPassword}
          autoComplete="current-password"
        />
        <Submit busy={task.busy}>{t("signIn.submit")}</Submit>
      </Form>
      {passkeysWork() && (
        <button type="button" class="button" aria-disabled={task.busy} onClick={() => void withPasskey()}>
          <Icon name="key" />
          {t("signIn.passkey")}
        </button>
      )}
      <p class="aside">
        <a href={pathOf("recover")}>{t("signIn.forgotten")}</a>
      </p>
      <p class="aside">
        {t("signIn.new")} <a href={pathOf("signUp")}>{t("nav.signUp")}</a>
      </p>
    </Page>
  );
}

/** Offers passkeys among the names to fill in: once, when the field is first gone to, until the page is left. */
function useOffer(begin: (signal: AbortSignal) => Promise<void>) {
  const stop = useRef<AbortController | undefined>(undefined);
  const withdraw = () => stop.current?.abort();
  useEffect(() => withdraw, []);
  const make = async () => {
    if (stop.current) return;
    stop.current = new AbortController();
    if (!(await passkeysAreOffered())) return;
    // Nobody asked for it: an offer that cannot be made, or is not taken, is no news.
    await begin(stop.current.signal).catch(() => {});
  };
  return { make, withdraw };
}
