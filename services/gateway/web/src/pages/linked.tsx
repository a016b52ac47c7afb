/**
 * Owns coming back from a third party: what it sent leaves the address bar,
 * and so the history, before anything else happens, and is handed in once.
 */
import { useEffect, useState } from "preact/hooks";
import { completeLink } from "../calls.links.ts";
import { t } from "../language.ts";
import { Notice, Problem } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";
import { Waiting } from "../parts/pages.tsx";
import { pathOf } from "../routes.ts";
import type { Link, LinkReturn } from "../types.links.ts";
import { useValv } from "../valv.ts";

/** What came: something to hand in, a refusal, or nothing. */
type Back = LinkReturn | "refused" | undefined;

let taken = take();

function take(): Back {
  if (location.pathname !== pathOf("linked") || !location.search) return undefined;
  const query = new URLSearchParams(location.search);
  history.replaceState(null, "", location.pathname);
  const state = query.get("state");
  const code = query.get("code");
  const iss = query.get("iss");
  if (!state || !code) return "refused";
  return { state, code, ...(iss && { iss }) };
}

type State = "working" | "refused" | "absent" | { readonly link: Link } | { readonly error: unknown };

/** The end of a link's way through the third party. */
export function LinkedPage() {
  const { api } = useValv();
  const [state, setState] = useState<State>("working");
  useEffect(() => {
    const back = taken;
    taken = undefined;
    if (typeof back !== "object") {
      setState(back ?? "absent");
      return;
    }
    completeLink(api, back).then(
      (link) => setState({ link }),
      (error: unknown) => setState({ error }),
    );
  }, [api]);
  return (
    <Page title={t("linked.title")} narrow>
      {state === "working" && <Waiting />}
      {state === "refused" && <Notice>{t("linked.refused")}</Notice>}
      {state === "absent" && <Notice>{t("linked.absent")}</Notice>}
      {typeof state === "object" && "link" in state && (
        <Notice tone="good">{t("links.connected", { name: state.link.displayName })}</Notice>
      )}
      {typeof state === "object" && "error" in state && <Problem error={state.error} context="link" />}
      {state !== "working" && (
        <p>
          <a class="button button--main" href={pathOf("accountLinks")}>
            {t("linked.back")}
          </a>
        </p>
      )}
    </Page>
  );
}
