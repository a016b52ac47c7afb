/**
 * Owns signing up. The answer is the same whether or not the address is known;
 * so is what this page says. Must never keep the password beyond the attempt.
 */
import { useState } from "preact/hooks";
import { signUp } from "../calls.account.ts";
import { language, t } from "../language.ts";
import { Field, Form, Submit } from "../parts/form.tsx";
import { LEAST_ALONE, lengthFault, NewPasswordField, ofNewPassword } from "../parts/new-password.tsx";
import { Notice, Problem } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";
import { pathOf } from "../routes.ts";
import { isLocal, SANDBOX_MAIL } from "../sandbox.ts";
import { useValv } from "../valv.ts";

/** The sign-up form, and then where to look. */
export function SignUpPage() {
  const { api } = useValv();
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const [sentTo, setSentTo] = useState("");
  const emailError = /^\S+@\S+$/u.test(email.trim()) ? undefined : t("signUp.emailInvalid");

  const submit = async () => {
    setTried(true);
    setError(undefined);
    if (emailError || lengthFault(password, LEAST_ALONE)) return;
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
      {!ofNewPassword(error) && <Problem error={error} context="signUp" />}
      <Form busy={busy} onSubmit={() => void submit()}>
        <Field
          label={t("field.email")}
          type="email"
          value={email}
          onValue={setEmail}
          autoComplete="username"
          error={tried ? emailError : undefined}
        />
        <NewPasswordField
          label={t("field.password")}
          value={password}
          onValue={setPassword}
          least={LEAST_ALONE}
          tried={tried}
          error={error}
        />
        <Submit busy={busy}>{t("signUp.submit")}</Submit>
      </Form>
      <p class="aside">
        {t("signUp.known")} <a href={pathOf("signIn")}>{t("nav.signIn")}</a>
      </p>
    </Page>
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
