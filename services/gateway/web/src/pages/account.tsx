/** Owns showing who is signed in, and until when. */
import { useState } from "preact/hooks";
import { t } from "../language.ts";
import { Facts } from "../parts/facts.tsx";
import { Time } from "../parts/marks.tsx";
import { Problem } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";
import { useValv } from "../valv.ts";

/** The account. */
export function AccountPage() {
  const { session } = useValv();
  const [error, setError] = useState<unknown>();
  const state = session.state.value;
  if (state.kind !== "in") return null;
  const { email, accountId, sessionId, authTime, ends } = state.session;
  const stay = () => session.extend().catch(setError);
  return (
    <Page title={t("nav.account")} lead={t("account.lead")}>
      <Problem error={error} />
      <section class="panel" aria-labelledby="account-you">
        <h2 id="account-you">{t("account.you")}</h2>
        <Facts
          rows={[
            [t("field.email"), email],
            [t("account.id"), <code>{accountId}</code>],
          ]}
        />
      </section>
      <section class="panel" aria-labelledby="account-session">
        <h2 id="account-session">{t("account.session")}</h2>
        <p class="quiet">{t("account.sessionText")}</p>
        <Facts
          rows={[
            [t("account.since"), <Time at={authTime} />],
            [t("account.ends"), <Time at={ends} />],
            [t("account.sessionId"), <code>{sessionId}</code>],
          ]}
        />
        <div class="row">
          <button type="button" class="button" onClick={() => void stay()}>
            {t("session.stay")}
          </button>
        </div>
      </section>
    </Page>
  );
}
