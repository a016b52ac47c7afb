/**
 * Owns signing in, on its own address and in place of a page that needs it.
 * Must never keep the password beyond the attempt.
 */
import { useState } from "preact/hooks";
import { signIn } from "../calls.ts";
import { type Key, t } from "../language.ts";
import { Field, Form, PasswordField, Submit } from "../parts/form.tsx";
import { Notice, Problem } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";
import { arrive, go, route } from "../router.ts";
import { pathOf } from "../routes.ts";
import type { SignedOutReason } from "../session.ts";
import { useValv } from "../valv.ts";

const reasons: Readonly<Record<SignedOutReason, Key | null>> = {
  none: null,
  ended: "signIn.ended",
  left: "signIn.left",
  unknown: "signIn.unknown",
};

/** The sign-in form. */
export function SignInPage() {
  const { api, session } = useValv();
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const state = session.state.value;
  const why = state.kind === "out" ? reasons[state.why] : null;

  const submit = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await session.learn(signIn(api, email.trim(), password));
      if (route.value?.page === "signIn") go("/");
      else arrive();
    } catch (caught) {
      setPassword("");
      setError(caught);
      setBusy(false);
    }
  };

  return (
    <Page title={t("signIn.title")} narrow>
      {why && !error && <Notice>{t(why)}</Notice>}
      <Problem error={error} context="signIn" />
      <Form busy={busy} onSubmit={() => void submit()}>
        <Field label={t("field.email")} type="email" value={email} onValue={setEmail} autoComplete="username" />
        <PasswordField
          label={t("field.password")}
          value={password}
          onValue={setPassword}
          autoComplete="current-password"
        />
        <Submit busy={busy}>{t("signIn.submit")}</Submit>
      </Form>
      <p class="aside">
        {t("signIn.new")} <a href={pathOf("signUp")}>{t("nav.signUp")}</a>
      </p>
    </Page>
  );
}
