/**
 * Owns changing the password, and doing without one. Must never keep what was
 * typed beyond the attempt.
 */
import { useState } from "preact/hooks";
import { changePassword, removePassword } from "../../calls.account.ts";
import { t } from "../../language.ts";
import { Confirm } from "../../parts/dialog.tsx";
import { Form, PasswordField, Submit } from "../../parts/form.tsx";
import { LEAST_ALONE, LEAST_WITH_SECOND, lengthFault, NewPasswordField, ofNewPassword } from "../../parts/new-password.tsx";
import { Problem } from "../../parts/notice.tsx";
import { Section } from "../../parts/section.tsx";
import { faultOf, useTask } from "../../parts/task.ts";
import { pathOf } from "../../routes.ts";
import { useValv } from "../../valv.ts";
import type { FactorProps } from "./security.tsx";

/** The password. */
export function PasswordSection({ factors, onChange }: FactorProps) {
  const [open, setOpen] = useState(false);
  const [removing, setRemoving] = useState(false);
  const [said, setSaid] = useState("");
  const { api } = useValv();
  const canGo = factors.passkeys?.some((passkey) => passkey.verifiesUser);
  const done = (sentence: string) => {
    setOpen(false);
    setSaid(sentence);
    onChange();
  };
  if (!factors.hasPassword)
    return (
      <Section title={t("password.title")} state={["quiet", t("state.none")]} said={said}>
        <p class="quiet">{t("password.none")}</p>
        <p>
          <a href={pathOf("recover")}>{t("password.getOne")}</a>
        </p>
      </Section>
    );
  return (
    <Section title={t("password.title")} state={["good", t("state.on")]} said={said}>
      <p class="quiet">{t("password.text")}</p>
      {open ? (
        <ChangePassword factors={factors} onDone={() => done(t("password.changed"))} onCancel={() => setOpen(false)} />
      ) : (
        <div class="row">
          <button type="button" class="button" onClick={() => setOpen(true)}>
            {t("password.change")}
          </button>
          {canGo && (
            <button type="button" class="button button--quiet" onClick={() => setRemoving(true)}>
              {t("password.remove")}
            </button>
          )}
        </div>
      )}
      {removing && (
        <Confirm
          title={t("password.removeTitle")}
          verb={t("password.remove")}
          onConfirm={() => removePassword(api)}
          onClose={(gone) => {
            setRemoving(false);
            if (gone) done(t("password.removed"));
          }}
        >
          <p>{t("password.removeText")}</p>
        </Confirm>
      )}
    </Section>
  );
}

const WRONG = ["PASSWORD_WRONG"];

function ChangePassword(props: {
  readonly factors: FactorProps["factors"];
  readonly onDone: () => void;
  readonly onCancel: () => void;
}) {
  const { api, session } = useValv();
  const [current, setCurrent] = useState("");
  const [wanted, setWanted] = useState("");
  const [tried, setTried] = useState(false);
  const task = useTask();
  const second = props.factors.totpConfirmed || (props.factors.passkeys?.length ?? 0) > 0;
  const least = second ? LEAST_WITH_SECOND : LEAST_ALONE;
  const wrong = faultOf(task.error, WRONG);
  const missing = tried && !current ? t("password.currentMissing") : undefined;
  const submit = async () => {
    setTried(true);
    if (!current || lengthFault(wanted, least)) return;
    const done = await task.run(() => session.learn(changePassword(api, current, wanted)));
    setCurrent("");
    if (done) props.onDone();
  };
  return (
    <Form busy={task.busy} onSubmit={() => void submit()}>
      {!wrong && !ofNewPassword(task.error) && <Problem error={task.error} />}
      <PasswordField
        label={t("password.current")}
        value={current}
        onValue={setCurrent}
        autoComplete="current-password"
        error={task.error ? wrong : missing}
        focus
      />
      <NewPasswordField
        label={t("password.new")}
        value={wanted}
        onValue={setWanted}
        least={least}
        tried={tried}
        error={task.error}
      />
      <p class="quiet small">{t("password.othersEnd")}</p>
      <div class="row">
        <Submit busy={task.busy}>{t("password.submit")}</Submit>
        <button type="button" class="button" onClick={props.onCancel}>
          {t("action.cancel")}
        </button>
      </div>
    </Form>
  );
}
