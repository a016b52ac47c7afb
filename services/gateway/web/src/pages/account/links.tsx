/**
 * Owns the linked accounts: which there are, what each is for, ending one, and
 * beginning another. Must never ask for a third party's password itself.
 */
import { useState } from "preact/hooks";
import { beginLink, listLinks, listProviders, unlink } from "../../calls.links.ts";
import { type Key, language, t } from "../../language.ts";
import { Confirm } from "../../parts/dialog.tsx";
import { Facts } from "../../parts/facts.tsx";
import { Icon, Pill, type PillTone, Time } from "../../parts/marks.tsx";
import { Notice, Problem } from "../../parts/notice.tsx";
import { focusHeading } from "../../parts/page.tsx";
import { Waiting } from "../../parts/pages.tsx";
import { useReading } from "../../parts/reading.ts";
import { Section } from "../../parts/section.tsx";
import { useTask } from "../../parts/task.ts";
import type { Link, LinkBegun, LinkKept, LinkProvider, LinkRevocation } from "../../types.links.ts";
import { useValv } from "../../valv.ts";
import { AccountFrame } from "./frame.tsx";
import { LinkConsent } from "./link-consent.tsx";

const kept: Readonly<Record<LinkKept, readonly [PillTone, Key]>> = {
  LINK_KEPT_TOKEN: ["good", "links.keptToken"],
  LINK_KEPT_PROOF: ["quiet", "links.keptProof"],
  LINK_KEPT_LOST: ["bad", "links.keptLost"],
};

const revoked: Readonly<Record<LinkRevocation, Key>> = {
  LINK_REVOCATION_DONE: "links.revoked",
  LINK_REVOCATION_PENDING: "links.revocationPending",
  LINK_REVOCATION_NONE: "links.revocationNone",
};

/** A link being made: with whom, and what it is for. */
interface Attempt {
  readonly provider: LinkProvider;
  readonly begun: LinkBegun;
}

/** The page. */
export function AccountLinksPage() {
  const { api } = useValv();
  const providers = useReading(() => listProviders(api));
  const links = useReading(() => listLinks(api));
  const [attempt, setAttempt] = useState<Attempt>();
  const [doomed, setDoomed] = useState<Link>();
  const [said, setSaid] = useState("");
  const task = useTask();
  const begin = (provider: LinkProvider) => {
    setSaid("");
    void task.run(async () =>
      setAttempt({ provider, begun: await beginLink(api, provider.provider, language.value) }),
    );
  };
  const end = async (link: Link) => setSaid(t(revoked[await unlink(api, link.linkId)], { name: link.displayName }));
  const over = (link?: Link) => {
    setAttempt(undefined);
    if (link) setSaid(t("links.connected", { name: link.displayName }));
    void links.reload();
    focusHeading();
  };
  return (
    <AccountFrame title={t("account.links")} lead={t("links.lead")}>
      <div class="panel__said" role="status">
        {said && <div class="notice notice--good">{said}</div>}
      </div>
      <Problem error={task.error} />
      {attempt && <LinkConsent provider={attempt.provider} begun={attempt.begun} onEnd={over} />}
      <Problem error={links.error} retry={() => void links.reload()} />
      {!links.value && !links.error && <Waiting />}
      {links.value?.map((link) => <LinkPanel key={link.linkId} link={link} onEnd={() => setDoomed(link)} />)}
      {links.value?.length === 0 && !attempt && <p class="empty">{t("links.empty")}</p>}
      {!attempt && <Providers providers={providers.value} error={providers.error} onBegin={begin} busy={task.busy} />}
      {doomed && (
        <Confirm
          title={t("links.endTitle", { name: doomed.displayName })}
          verb={t("links.endVerb")}
          onConfirm={() => end(doomed)}
          onClose={(done) => {
            setDoomed(undefined);
            if (done) over();
          }}
        >
          <p>{t("links.endText", { name: doomed.displayName })}</p>
        </Confirm>
      )}
    </AccountFrame>
  );
}

function LinkPanel({ link, onEnd }: { readonly link: Link; readonly onEnd: () => void }) {
  const [tone, key] = kept[link.kept];
  const { purpose } = link;
  return (
    <section class="panel" data-testid="link" aria-labelledby={link.linkId}>
      <h2 id={link.linkId}>
        {link.displayName} <Pill tone={tone}>{t(key)}</Pill>
      </h2>
      {link.kept === "LINK_KEPT_LOST" && <Notice tone="wait">{t("links.lostText", { name: link.displayName })}</Notice>}
      <Facts
        rows={[
          [t("links.accountThere"), link.accountThere && <bdi>{link.accountThere}</bdi>],
          [t("links.usedFor"), <span lang={purpose.locale}>{purpose.usedFor}</span>],
          [t("links.kept"), <span lang={purpose.locale}>{purpose.kept}</span>],
          [t("links.keptFor"), <span lang={purpose.locale}>{purpose.keptFor}</span>],
          [t("links.since"), <Time at={link.connected} />],
          [t("links.version"), purpose.version],
        ]}
      />
      <button
        type="button"
        class="button"
        aria-label={t("links.endName", { name: link.displayName })}
        onClick={onEnd}
      >
        {t("links.endVerb")}
      </button>
    </section>
  );
}

function Providers(props: {
  readonly providers: readonly LinkProvider[] | undefined;
  readonly error: unknown;
  readonly busy: boolean;
  readonly onBegin: (provider: LinkProvider) => void;
}) {
  const { providers, error, busy, onBegin } = props;
  return (
    <Section title={t("links.add")}>
      <Problem error={error} />
      {providers?.length === 0 && <p class="quiet">{t("links.noProviders")}</p>}
      {providers && providers.length > 0 && (
        <>
          <p class="quiet">{t("links.addText")}</p>
          <ul class="row">
            {providers.map((provider) => (
              <li key={provider.provider}>
                <button type="button" class="button" aria-disabled={busy} onClick={() => onBegin(provider)}>
                  <Icon name="link" />
                  {t("links.begin", { name: provider.displayName })}
                </button>
              </li>
            ))}
          </ul>
        </>
      )}
    </Section>
  );
}
