/**
 * Owns confirming an address with the token from a mail: the first address of
 * an account, and a new one. Must never keep the token beyond the attempt.
 */
import { useEffect, useState } from "preact/hooks";
import type { Api } from "../api.ts";
import { confirmEmail, confirmEmailChange } from "../calls.account.ts";
import { type Key, t } from "../language.ts";
import { mailToken } from "../mail-token.ts";
import { Notice, Problem } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";
import { Waiting } from "../parts/pages.tsx";
import { type PageName, pathOf } from "../routes.ts";
import { useValv } from "../valv.ts";

interface Way {
  readonly page: PageName;
  readonly confirm: (api: Api, token: string) => Promise<unknown>;
  readonly title: Key;
  readonly done: Key;
  readonly doneText: Key;
  readonly absent: Key;
  /** Where its errors have sentences of their own. */
  readonly context: string;
}

const first: Way = {
  page: "confirm",
  confirm: confirmEmail,
  title: "confirm.title",
  done: "confirm.done",
  doneText: "confirm.doneText",
  absent: "confirm.absent",
  context: "confirm",
};

const change: Way = {
  page: "confirmChange",
  confirm: confirmEmailChange,
  title: "confirmChange.title",
  done: "confirmChange.done",
  doneText: "confirmChange.doneText",
  absent: "confirmChange.absent",
  context: "confirmChange",
};

/** Confirms the address of a new account. */
export const ConfirmPage = () => <Confirming way={first} />;

/** Confirms the new address of an account. */
export const ConfirmChangePage = () => <Confirming way={change} />;

type State = "working" | "confirmed" | "absent" | { readonly error: unknown };

/** Confirms at once: opening the link is the person's act. */
function Confirming({ way }: { readonly way: Way }) {
  const { api, session } = useValv();
  const [state, setState] = useState<State>("working");
  useEffect(() => {
    const token = mailToken(way.page);
    if (!token) {
      setState("absent");
      return;
    }
    way.confirm(api, token).then(
      () => {
        setState("confirmed");
        // Who is signed in here may be shown by another address now.
        if (session.state.value.kind === "in") void session.refresh();
      },
      (error: unknown) => setState({ error }),
    );
  }, [api]);
  const signedIn = session.state.value.kind === "in";
  return (
    <Page title={t(state === "confirmed" ? way.done : way.title)} narrow>
      {state === "working" && <Waiting />}
      {state === "confirmed" && <Notice tone="good">{t(way.doneText)}</Notice>}
      {state === "absent" && <Notice>{t(way.absent)}</Notice>}
      {typeof state === "object" && <Problem error={state.error} context={way.context} />}
      {state !== "working" && (
        <p>
          <a class="button button--main" href={pathOf(signedIn ? "account" : "signIn")}>
            {t(signedIn ? "nav.account" : "nav.signIn")}
          </a>
        </p>
      )}
    </Page>
  );
}
