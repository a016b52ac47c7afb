/**
 * Owns recovery codes: how many are left, making new ones, and the one time
 * they are shown. Must never keep them: leaving the page is the end of them.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import { generateRecoveryCodes } from "../../calls.account.ts";
import { plural, t } from "../../language.ts";
import { Confirm } from "../../parts/dialog.tsx";
import { Section } from "../../parts/section.tsx";
import { saveText } from "../../save.ts";
import { useValv } from "../../valv.ts";
import type { FactorProps } from "./security.tsx";

const FEW = 3;

/** How many are left, and new ones. */
export function RecoveryCodesSection({ factors, onChange }: FactorProps) {
  const { api } = useValv();
  const [asking, setAsking] = useState(false);
  const made = useRef<readonly string[]>([]);
  const left = factors.recoveryCodesLeft ?? 0;
  const second = factors.totpConfirmed !== undefined || (factors.passkeys?.length ?? 0) > 0;
  if (!second) return null;
  const generate = async () => {
    made.current = await generateRecoveryCodes(api);
  };
  return (
    <Section title={t("recovery.title")} state={[left > FEW ? "good" : "wait", plural("recovery.left", left)]}>
      <p class="quiet">{t("recovery.text")}</p>
      <button type="button" class="button" onClick={() => setAsking(true)}>
        {t("recovery.generate")}
      </button>
      {asking && (
        <Confirm
          title={t("recovery.generateTitle")}
          verb={t("recovery.generate")}
          onConfirm={generate}
          onClose={(done) => {
            setAsking(false);
            if (done) onChange(made.current);
            made.current = [];
          }}
        >
          <p>{t("recovery.generateText")}</p>
        </Confirm>
      )}
    </Section>
  );
}

/** The codes, this once. */
export function NewRecoveryCodes(props: { readonly codes: readonly string[]; readonly onKept: () => void }) {
  const heading = useRef<HTMLHeadingElement>(null);
  const [said, setSaid] = useState("");
  const { session } = useValv();
  const email = session.state.value.kind === "in" ? session.state.value.session.email : "";
  useEffect(() => heading.current?.focus(), [props.codes]);
  const text = `${t("recovery.fileHead", { email })}\n\n${props.codes.join("\n")}\n`;
  const copy = () =>
    navigator.clipboard.writeText(props.codes.join("\n")).then(
      () => setSaid(t("recovery.copied")),
      () => setSaid(t("recovery.notCopied")),
    );
  return (
    <section class="panel panel--print" aria-labelledby="new-codes">
      <h2 id="new-codes" tabIndex={-1} ref={heading}>
        {t("recovery.newTitle")}
      </h2>
      <p>{t("recovery.newText")}</p>
      <p class="print-only">{t("recovery.fileHead", { email })}</p>
      <ol class="codes" aria-label={t("recovery.title")}>
        {props.codes.map((code) => (
          <li key={code}>
            <code>{code}</code>
          </li>
        ))}
      </ol>
      <p role="status">{said}</p>
      <div class="row no-print">
        <button type="button" class="button" onClick={() => saveText(text, "valv-recovery-codes.txt")}>
          {t("recovery.download")}
        </button>
        <button type="button" class="button" onClick={() => print()}>
          {t("recovery.print")}
        </button>
        <button type="button" class="button" onClick={() => void copy()}>
          {t("recovery.copy")}
        </button>
        <button type="button" class="button button--main" onClick={props.onKept}>
          {t("recovery.kept")}
        </button>
      </div>
    </section>
  );
}
