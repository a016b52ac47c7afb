/**
 * Owns turning codes from an authenticator app on and off. The QR code is
 * drawn here, in the browser; the secret leaves the page when it is confirmed.
 */
import { useState } from "preact/hooks";
import { beginTotp, confirmTotp, removeTotp } from "../../calls.account.ts";
import { moment } from "../../format.ts";
import { t } from "../../language.ts";
import { Field, Form, Submit } from "../../parts/form.tsx";
import { Problem } from "../../parts/notice.tsx";
import { QrCode } from "../../parts/qr-code.tsx";
import { RemoveFactor } from "../../parts/remove-factor.tsx";
import { Section } from "../../parts/section.tsx";
import { faultOf, useTask } from "../../parts/task.ts";
import type { TotpSetup } from "../../types.account.ts";
import { useValv } from "../../valv.ts";
import { type FactorProps, passwordWanted } from "./security.tsx";

/** Codes from an app. */
export function TotpSection({ factors, onChange }: FactorProps) {
  const { api } = useValv();
  const [setup, setSetup] = useState<TotpSetup>();
  const [removing, setRemoving] = useState(false);
  const [said, setSaid] = useState("");
  const task = useTask();
  const since = factors.totpConfirmed;
  const begin = () => {
    setSaid("");
    return task.run(async () => setSetup(await beginTotp(api)));
  };
  const confirmed = (codes: readonly string[]) => {
    setSetup(undefined);
    setSaid(t("totp.added"));
    onChange(codes);
  };
  return (
    <Section title={t("totp.title")} state={since ? ["good", t("state.on")] : ["quiet", t("state.off")]} said={said}>
      <p class="quiet">{since ? t("totp.since", { time: moment(since) }) : t("totp.text")}</p>
      <Problem error={task.error} />
      {setup && <Setup setup={setup} onDone={confirmed} onCancel={() => setSetup(undefined)} />}
      {!setup && !since && (
        <button type="button" class="button" aria-disabled={task.busy} onClick={() => void begin()}>
          {t("totp.begin")}
        </button>
      )}
      {!setup && since && (
        <button type="button" class="button" onClick={() => setRemoving(true)}>
          {t("totp.remove")}
        </button>
      )}
      {removing && (
        <RemoveFactor
          title={t("totp.removeTitle")}
          verb={t("totp.remove")}
          least={passwordWanted(factors, false, factors.passkeys?.length ?? 0)}
          onConfirm={(newPassword) => removeTotp(api, newPassword)}
          onClose={(gone) => {
            setRemoving(false);
            if (!gone) return;
            setSaid(t("totp.removed"));
            onChange();
          }}
        >
          <p>{t("totp.removeText")}</p>
        </RemoveFactor>
      )}
    </Section>
  );
}

const NOT_VALID = ["CODE_NOT_VALID"];

function Setup(props: {
  readonly setup: TotpSetup;
  readonly onDone: (codes: readonly string[]) => void;
  readonly onCancel: () => void;
}) {
  const { api } = useValv();
  const { secret, otpauthUri } = props.setup;
  const [code, setCode] = useState("");
  const [tried, setTried] = useState(false);
  const task = useTask();
  const typed = code.replace(/\s/gu, "");
  const missing = tried && !/^\d{6}$/u.test(typed) ? t("totp.sixDigits") : undefined;
  const wrong = faultOf(task.error, NOT_VALID);
  const submit = () => {
    setTried(true);
    if (/^\d{6}$/u.test(typed)) void task.run(async () => props.onDone(await confirmTotp(api, typed)));
  };
  return (
    <div class="setup" data-testid="totp-setup">
      <ol class="numbered">
        <li>
          <p>{t("totp.scan")}</p>
          <QrCode text={otpauthUri} label={t("totp.qr")} />
          <p>{t("totp.type")}</p>
          <p>
            <code class="secret" data-testid="totp-secret">
              {secret.replace(/(.{4})(?=.)/gu, "$1 ")}
            </code>
          </p>
          <p>
            <a href={otpauthUri}>{t("totp.open")}</a>
          </p>
        </li>
        <li>
          <p>{t("totp.then")}</p>
          <Form busy={task.busy} onSubmit={submit}>
            {!wrong && <Problem error={task.error} />}
            <Field
              label={t("second.totpCode")}
              value={code}
              onValue={setCode}
              autoComplete="one-time-code"
              keys="numeric"
              error={missing ?? wrong}
              focus
            />
            <p class="quiet small">{t("factor.othersEnd")}</p>
            <div class="row">
              <Submit busy={task.busy}>{t("totp.confirm")}</Submit>
              <button type="button" class="button" onClick={props.onCancel}>
                {t("action.cancel")}
              </button>
            </div>
          </Form>
        </li>
      </ol>
    </div>
  );
}
