/**
 * Owns getting back into an account whose password is forgotten: asking for a
 * link, and the new password it opens. Must never tell whether an address is
 * known, nor suggest that a second step is left out.
 */
import { useEffect, useState } from "preact/hooks";
import { recover, resetPassword } from "../calls.account.ts";
import { t } from "../language.ts";
import { mailToken } from "../mail-token.ts";
import { Field, Form, Submit } from "../parts/form.tsx";
import { LEAST_WITH_SECOND, lengthFault, NewPasswordField, ofNewPassword } from "../parts/new-password.tsx";
import { Notice, Problem } from "../parts/notice.tsx";
import { focusHeading, Page } from "../parts/page.tsx";
import { useTask } from "../parts/task.ts";
import { pathOf } from "../routes.ts";
import { isLocal, SANDBOX_MAIL } from "../sandbox.ts";
import { useValv } from "../valv.ts";

/** Asking for the link. */
export function RecoverPage() {
  const { api } = useValv();
  const [email, setEmail] = useState("");
  const [tried, setTried] = useState(false);
  const [sentTo, setSentTo] = useState("");
  const task = useTask();
  const typed = email.trim();
  const whole = /^\S+@\S+$/u.test(typed);
  const submit = async () => {
    setTried(true);
    if (whole && (await task.run(() => recover(api, typed)))) {
      setSentTo(typed);
      focusHeading();
    }
  };
  return (
    <Page title={t(sentTo ? "recover.sentTitle" : "recover.title")} {...(!sentTo && { lead: t("recover.lead") })} narrow>
      {sentTo ? (
        <>
          <Notice tone="good">{t("recover.sent", { email: sentTo })}</Notice>
          <p>{t("recover.sentMore")}</p>
          {isLocal() && (
            <p class="aside">
              {t("signUp.sandboxMail")} <a href={SANDBOX_MAIL}>{SANDBOX_MAIL}</a>
            </p>
          )}
        </>
      ) : (
        <Form busy={task.busy} onSubmit={() => void submit()}>
          <Problem error={task.error} />
          <Field
            label={t("field.email")}
            type="email"
            value={email}
            onValue={setEmail}
            autoComplete="username"
            error={tried && !whole ? t("signUp.emailInvalid") : undefined}
          />
          <Submit busy={task.busy}>{t("recover.submit")}</Submit>
        </Form>
      )}
      <p class="aside">
        <a href={pathOf("signIn")}>{t("recover.back")}</a>
      </p>
    </Page>
  );
}

/** The new password. */
export function ResetPage() {
  const { api, session } = useValv();
  const [token] = useState(() => mailToken("reset"));
  const [wanted, setWanted] = useState("");
  const [tried, setTried] = useState(false);
  const [done, setDone] = useState(false);
  const task = useTask();
  useEffect(() => {
    if (done) focusHeading();
  }, [done]);
  const submit = async () => {
    setTried(true);
    if (lengthFault(wanted, LEAST_WITH_SECOND)) return;
    if (!(await task.run(() => resetPassword(api, token, wanted)))) return;
    setWanted("");
    setDone(true);
    // Every session of the account has ended; if one was this browser's, say so.
    if (session.state.value.kind === "in") void session.refresh();
  };
  return (
    <Page title={t(done ? "reset.done" : "reset.title")} narrow>
      {done && <Notice tone="good">{t("reset.doneText")}</Notice>}
      {!done && !token && <Notice>{t("reset.absent")}</Notice>}
      {!done && token && (
        <Form busy={task.busy} onSubmit={() => void submit()}>
          {!ofNewPassword(task.error) && <Problem error={task.error} context="reset" />}
          <p>{t("reset.text")}</p>
          <NewPasswordField
            label={t("password.new")}
            value={wanted}
            onValue={setWanted}
            least={LEAST_WITH_SECOND}
            rule={t("reset.rule")}
            tried={tried}
            error={task.error}
          />
          <Submit busy={task.busy}>{t("reset.submit")}</Submit>
        </Form>
      )}
      <p class="aside">
        <a href={pathOf(done || token ? "signIn" : "recover")}>{t(done || token ? "recover.back" : "recover.again")}</a>
      </p>
    </Page>
  );
}
