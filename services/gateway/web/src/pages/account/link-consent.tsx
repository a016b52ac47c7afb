/**
 * Owns the way to a link: first what it is for, then consent, and only then
 * the third party's password, or the way there. Must never show a field for a
 * password before consent, nor keep one beyond the attempt.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "../../api.ts";
import { connectLink, consentToLink, unlink } from "../../calls.links.ts";
import { digestOf } from "../../consent.ts";
import { clock } from "../../format.ts";
import { t } from "../../language.ts";
import { Facts } from "../../parts/facts.tsx";
import { Field, Form, PasswordField, Submit } from "../../parts/form.tsx";
import { Problem } from "../../parts/notice.tsx";
import { useTask } from "../../parts/task.ts";
import type { Link, LinkBegun, LinkProvider } from "../../types.links.ts";
import { useValv } from "../../valv.ts";

/** Props of the way to a link. */
export interface LinkConsentProps {
  readonly provider: LinkProvider;
  readonly begun: LinkBegun;
  /** The attempt is over, with a link or without. */
  readonly onEnd: (link?: Link) => void;
}

/** The steps. */
export function LinkConsent({ provider, begun, onEnd }: LinkConsentProps) {
  const { api } = useValv();
  const heading = useRef<HTMLHeadingElement>(null);
  const [consented, setConsented] = useState(false);
  const task = useTask();
  const name = provider.displayName;
  const title = t(consented ? "links.connectTitle" : "links.consentTitle", { name });
  useEffect(() => heading.current?.focus(), [consented]);
  const { purpose, linkId, flow } = begun;
  const consent = () =>
    task.run(async () => {
      const digest = await digestOf(provider.provider, purpose);
      const address = await consentToLink(api, linkId, purpose.version, digest);
      if (flow === "LINK_FLOW_REDIRECT") location.assign(httpsOnly(address));
      else setConsented(true);
    });
  // What was begun is forgotten at once; if that fails, it ends by itself within minutes.
  const cancel = () => void unlink(api, linkId).then(() => onEnd(), () => onEnd());
  return (
    <section class="panel" aria-labelledby="link-step" data-testid="link-consent">
      <h2 id="link-step" tabIndex={-1} ref={heading}>
        {title}
      </h2>
      {!consented && (
        <>
          <p>{t("links.consentText", { name })}</p>
          <div lang={purpose.locale} class="purpose">
            <Facts
              rows={[
                [t("links.usedFor"), purpose.usedFor],
                [t("links.kept"), purpose.kept],
                [t("links.keptFor"), purpose.keptFor],
                [t("links.usedBy"), (purpose.roles ?? []).join(", ")],
                [t("links.version"), purpose.version],
              ]}
            />
          </div>
          <p class="quiet">{t(flow === "LINK_FLOW_REDIRECT" ? "links.thenRedirect" : "links.thenPassword", { name })}</p>
          <Problem error={task.error} />
          <div class="row">
            <button type="button" class="button button--main" aria-disabled={task.busy} onClick={() => void consent()}>
              {t("links.consent")}
            </button>
            <button type="button" class="button" onClick={cancel}>
              {t("links.decline")}
            </button>
          </div>
          <p class="quiet small">{t("links.ends", { time: clock(begun.ends) })}</p>
        </>
      )}
      {consented && <Connect name={name} linkId={linkId} onDone={onEnd} onCancel={cancel} />}
    </section>
  );
}

/** Only the web's own addresses: anything else would run here. */
function httpsOnly(address: string): string {
  if (!URL.canParse(address) || new URL(address).protocol !== "https:") throw new ApiError(502, "LINK_PROVIDER_UNTRUSTED");
  return address;
}

function Connect(props: {
  readonly name: string;
  readonly linkId: string;
  readonly onDone: (link: Link) => void;
  readonly onCancel: () => void;
}) {
  const { api } = useValv();
  const { name, linkId } = props;
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const [tried, setTried] = useState(false);
  const task = useTask();
  const missing = (value: string) => (tried && !value ? t("links.missing") : undefined);
  const submit = () => {
    setTried(true);
    if (!username || !password) return;
    const given = password;
    // Typed again for each attempt: nothing here keeps it.
    setPassword("");
    setTried(false);
    void task.run(async () => props.onDone(await connectLink(api, linkId, username, given)));
  };
  return (
    <>
      <p>{t("links.connectText", { name })}</p>
      <Form busy={task.busy} onSubmit={submit}>
        <Problem error={task.error} context="link" />
        <Field
          label={t("links.username", { name })}
          value={username}
          onValue={setUsername}
          autoComplete="off"
          error={missing(username)}
        />
        <PasswordField
          label={t("links.password", { name })}
          value={password}
          onValue={setPassword}
          autoComplete="off"
          error={missing(password)}
        />
        <div class="row">
          <Submit busy={task.busy}>{t("links.connect")}</Submit>
          <button type="button" class="button" onClick={props.onCancel}>
            {t("action.cancel")}
          </button>
        </div>
      </Form>
    </>
  );
}
