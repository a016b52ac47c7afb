/**
 * Owns who is signed in: their address and how it is changed, and the language
 * of their mail. Must never show a new address as theirs before its owner has
 * opened the link.
 */
import { useState } from "preact/hooks";
import { changeEmail, setLocale } from "../../calls.account.ts";
import { type Language, language, languages, t } from "../../language.ts";
import { Facts } from "../../parts/facts.tsx";
import { Field, Form, Submit } from "../../parts/form.tsx";
import { Time } from "../../parts/marks.tsx";
import { Problem } from "../../parts/notice.tsx";
import { Section } from "../../parts/section.tsx";
import { faultOf, useTask } from "../../parts/task.ts";
import { useValv } from "../../valv.ts";
import { AccountFrame } from "./frame.tsx";

/** The profile. */
export function ProfilePage() {
  const { session } = useValv();
  const state = session.state.value;
  if (state.kind !== "in") return null;
  const { email, accountId } = state.session;
  return (
    <AccountFrame title={t("nav.account")} lead={t("account.lead")}>
      <Section title={t("account.you")}>
        <Facts
          rows={[
            [t("field.email"), email],
            [t("account.id"), <code>{accountId}</code>],
          ]}
        />
      </Section>
      <ChangeEmail />
      <MailLanguage />
      <ThisSession />
    </AccountFrame>
  );
}

const ADDRESS = ["EMAIL_NOT_VALID"];

function ChangeEmail() {
  const { api } = useValv();
  const [email, setEmail] = useState("");
  const [tried, setTried] = useState(false);
  const [said, setSaid] = useState("");
  const task = useTask();
  const typed = email.trim();
  const incomplete = tried && !/^\S+@\S+$/u.test(typed) ? t("signUp.emailInvalid") : undefined;
  const wrong = faultOf(task.error, ADDRESS);
  const submit = async () => {
    setTried(true);
    setSaid("");
    if (!/^\S+@\S+$/u.test(typed)) return;
    if (!(await task.run(() => changeEmail(api, typed)))) return;
    setSaid(t("email.sent", { email: typed }));
    setEmail("");
    setTried(false);
  };
  return (
    <Section title={t("email.title")} said={said}>
      <p class="quiet">{t("email.text")}</p>
      {!wrong && <Problem error={task.error} />}
      <Form busy={task.busy} onSubmit={() => void submit()}>
        <Field
          label={t("email.new")}
          type="email"
          value={email}
          onValue={setEmail}
          autoComplete="email"
          error={incomplete ?? wrong}
        />
        <Submit busy={task.busy}>{t("email.submit")}</Submit>
      </Form>
    </Section>
  );
}

function MailLanguage() {
  const { api } = useValv();
  const [said, setSaid] = useState("");
  const task = useTask();
  const choose = async (code: Language) => {
    setSaid("");
    if (await task.run(() => setLocale(api, code))) setSaid(t("mailLanguage.done", { language: t(`mailLanguage.name.${code}`) }));
  };
  const inOrder = [language.value, ...languages.filter((code) => code !== language.value)];
  return (
    <Section title={t("mailLanguage.title")} said={said}>
      <p class="quiet">{t("mailLanguage.text")}</p>
      <Problem error={task.error} />
      <div class="row">
        {inOrder.map((code) => (
          <button key={code} type="button" class="button" aria-disabled={task.busy} onClick={() => void choose(code)}>
            {t("mailLanguage.choose", { language: t(`mailLanguage.name.${code}`) })}
          </button>
        ))}
      </div>
    </Section>
  );
}

function ThisSession() {
  const { session } = useValv();
  const task = useTask();
  const state = session.state.value;
  if (state.kind !== "in") return null;
  const { sessionId, authTime, ends } = state.session;
  return (
    <Section title={t("account.session")}>
      <p class="quiet">{t("account.sessionText")}</p>
      <Problem error={task.error} />
      <Facts
        rows={[
          [t("account.since"), <Time at={authTime} />],
          [t("account.ends"), <Time at={ends} />],
          [t("account.sessionId"), <code>{sessionId}</code>],
        ]}
      />
      <div class="row">
        <button type="button" class="button" onClick={() => void task.run(() => session.extend())}>
          {t("session.stay")}
        </button>
      </div>
    </Section>
  );
}
