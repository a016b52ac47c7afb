/**
 * Owns signing up. The answer is the same whether or not the address is known;
 * so is what this page says. Must never keep the password beyond the attempt.
 */
import { useState } from "preact/hooks";
import { signUp } from "../calls.ts";
import { number } from "../format.ts";
import { language, plural, t } from "../language.ts";
import { Field, Form, PasswordField, Submit } from "../parts/form.tsx";
import { Notice, Problem } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";
import { pathOf } from "../routes.ts";
import { isLocal, SANDBOX_MAIL } from "../sandbox.ts";
import { useValv } from "../valv.ts";

const LEAST = 15;
const MOST = 256;

/** Counts as the server does: NFC, then code points. */
export function lengthOf(password: string): number {
  return [...password.normalize("NFC")].length;
}

/** The sign-up form, and then where to look. */
export function SignUpPage() {
  const { api } = useValv();
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const [sentTo, setSentTo] = useState("");
  const length = lengthOf(password);
  const emailError = /^\S+@\S+$/u.test(email.trim()) ? undefined : t("signUp.emailInvalid");
  const passwordError =
    length < LEAST ? t("signUp.tooShort") : length > MOST ? t("signUp.tooLong") : undefined;

  const submit = async () => {
    setTried(true);
    setError(undefined);
    if (emailError || passwordError) return;
    setBusy(true);
    try {
      await signUp(api, email.trim(), password, language.value);
      setPassword("");
      setSentTo(email.trim());
    } catch (caught) {
      setError(caught);
    } finally {
      setBusy(false);
    }
  };

  if (sentTo) return <CheckMail email={sentTo} />;
  return (
    <Page title={t("signUp.title")} lead={t("signUp.lead")} narrow>
      <Problem error={error} context="signUp" />
      <Form busy={busy} onSubmit={() => void submit()}>
        <Field
          label={t("field.email")}
          type="email"
          value={email}
          onValue={setEmail}
          autoComplete="username"
          error={tried ? emailError : undefined}
        />
        <PasswordField
          label={t("field.password")}
          value={password}
          onValue={setPassword}
          autoComplete="new-password"
          error={tried ? passwordError : undefined}
          hint={<PasswordHint length={length} />}
        />
        <Submit busy={busy}>{t("signUp.submit")}</Submit>
      </Form>
      <p class="aside">
        {t("signUp.known")} <a href={pathOf("signIn")}>{t("nav.signIn")}</a>
      </p>
    </Page>
  );
}

function PasswordHint({ length }: { readonly length: number }) {
  const enough = length >= LEAST;
  return (
    <>
      <p>{t("signUp.passwordHint")}</p>
      {!enough && <p class="count">{plural("signUp.missing", Math.max(0, LEAST - length))}</p>}
      <p class="count count--enough" aria-live="polite">
        {enough && t("signUp.enough", { count: number(length) })}
      </p>
    </>
  );
}

function CheckMail({ email }: { readonly email: string }) {
  return (
    <Page title={t("signUp.sentTitle")} narrow>
      <Notice tone="good">{t("signUp.sent", { email })}</Notice>
      <p>{t("signUp.sentMore")}</p>
      {isLocal() && (
        <p class="aside">
          {t("signUp.sandboxMail")} <a href={SANDBOX_MAIL}>{SANDBOX_MAIL}</a>
        </p>
      )}
    </Page>
  );
}
