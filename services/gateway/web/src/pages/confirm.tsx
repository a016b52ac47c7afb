/**
 * Owns confirming an address with the token from the mail. The token leaves
 * the address bar, and so the history, before anything else happens.
 */
import { useEffect, useState } from "preact/hooks";
import { confirmEmail } from "../calls.ts";
import { t } from "../language.ts";
import { Notice, Problem } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";
import { Waiting } from "../parts/pages.tsx";
import { pathOf } from "../routes.ts";
import { useValv } from "../valv.ts";

let taken = takeToken();

/** Reads `#token=…` or a bare `#…` and removes it from the address bar. */
function takeToken(): string {
  if (location.pathname !== pathOf("confirm") || !location.hash) return "";
  const fragment = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  return new URLSearchParams(fragment).get("token") ?? decodeURIComponent(fragment);
}

type State = "working" | "confirmed" | "absent" | { readonly error: unknown };

/** Confirms at once: opening the link is the person's act. */
export function ConfirmPage() {
  const { api } = useValv();
  const [state, setState] = useState<State>("working");
  useEffect(() => {
    const token = taken || takeToken();
    taken = "";
    if (!token) {
      setState("absent");
      return;
    }
    confirmEmail(api, token).then(
      () => setState("confirmed"),
      (error: unknown) => setState({ error }),
    );
  }, [api]);
  return (
    <Page title={state === "confirmed" ? t("confirm.done") : t("confirm.title")} narrow>
      {state === "working" && <Waiting />}
      {state === "confirmed" && <Notice tone="good">{t("confirm.doneText")}</Notice>}
      {state === "absent" && <Notice>{t("confirm.absent")}</Notice>}
      {typeof state === "object" && <Problem error={state.error} context="confirm" />}
      {state !== "working" && (
        <p>
          <a class="button button--main" href={pathOf("signIn")}>
            {t("nav.signIn")}
          </a>
        </p>
      )}
    </Page>
  );
}
