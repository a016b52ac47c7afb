/** Owns the account's passkeys: adding, naming and removing them. Must never act on one without its name on the button. */
import { useState } from "preact/hooks";
import { beginPasskey, confirmPasskey, removePasskey, renamePasskey } from "../../calls.account.ts";
import { moment } from "../../format.ts";
import { t } from "../../language.ts";
import { Field, Form, Submit } from "../../parts/form.tsx";
import { Icon, Pill } from "../../parts/marks.tsx";
import { Problem } from "../../parts/notice.tsx";
import { RemoveFactor } from "../../parts/remove-factor.tsx";
import { Section } from "../../parts/section.tsx";
import { useTask } from "../../parts/task.ts";
import { makePasskey, passkeysWork } from "../../passkeys.ts";
import type { Passkey } from "../../types.account.ts";
import { useValv } from "../../valv.ts";
import { type FactorProps, passwordWanted } from "./security.tsx";

const LONGEST_NAME = 64;

/** The passkeys. */
export function PasskeysSection({ factors, onChange }: FactorProps) {
  const { api } = useValv();
  const [adding, setAdding] = useState(false);
  const [naming, setNaming] = useState("");
  const [doomed, setDoomed] = useState<Passkey>();
  const [said, setSaid] = useState("");
  const passkeys = factors.passkeys ?? [];
  const done = (sentence: string, codes?: readonly string[]) => {
    setAdding(false);
    setNaming("");
    setSaid(sentence);
    onChange(codes);
  };
  const add = async (name: string) =>
    done(t("passkey.added", { name }), await confirmPasskey(api, await makePasskey(await beginPasskey(api)), name));
  const rename = async (passkey: Passkey, name: string) => {
    await renamePasskey(api, passkey.passkeyId, name);
    done(t("passkey.renamed", { name }));
  };
  return (
    <Section
      title={t("passkey.title")}
      state={passkeys.length > 0 ? ["good", t("state.on")] : ["quiet", t("state.none")]}
      said={said}
    >
      <p class="quiet">{t("passkey.text")}</p>
      {passkeys.length > 0 && (
        <ul class="list list--inner" aria-label={t("passkey.list")}>
          {passkeys.map((passkey) => (
            <PasskeyRow
              key={passkey.passkeyId}
              passkey={passkey}
              naming={naming === passkey.passkeyId}
              onName={() => setNaming(passkey.passkeyId)}
              onNamed={(name) => rename(passkey, name)}
              onCancel={() => setNaming("")}
              onRemove={() => setDoomed(passkey)}
            />
          ))}
        </ul>
      )}
      {!passkeysWork() && <p>{t("passkey.unsupported")}</p>}
      {passkeysWork() && adding && <NameForm verb={t("passkey.make")} onName={add} onCancel={() => setAdding(false)} adding />}
      {passkeysWork() && !adding && (
        <button type="button" class="button" onClick={() => setAdding(true)}>
          {t("passkey.add")}
        </button>
      )}
      {doomed && (
        <RemoveFactor
          title={t("passkey.removeTitle", { name: doomed.displayName })}
          verb={t("passkey.removeVerb")}
          least={passwordWanted(factors, factors.totpConfirmed !== undefined, passkeys.length - 1)}
          onConfirm={(newPassword) => removePasskey(api, doomed.passkeyId, newPassword)}
          onClose={(gone) => {
            setDoomed(undefined);
            if (gone) done(t("passkey.removed", { name: doomed.displayName }));
          }}
        >
          <p>{t("passkey.removeText")}</p>
        </RemoveFactor>
      )}
    </Section>
  );
}

interface RowProps {
  readonly passkey: Passkey;
  readonly naming: boolean;
  readonly onName: () => void;
  readonly onNamed: (name: string) => Promise<void>;
  readonly onCancel: () => void;
  readonly onRemove: () => void;
}

function PasskeyRow({ passkey, naming, onName, onNamed, onCancel, onRemove }: RowProps) {
  const name = passkey.displayName;
  const used = passkey.used ? t("passkey.used", { time: moment(passkey.used) }) : t("passkey.notUsed");
  return (
    <li class="item" data-testid="passkey">
      <Icon name="key" />
      <div class="item__main">
        <span class="item__title">
          <bdi>{name}</bdi> {passkey.verifiesUser && <Pill tone="quiet">{t("passkey.alone")}</Pill>}
        </span>
        <span class="item__sub">
          {t("passkey.made", { time: moment(passkey.created) })} · {used}
        </span>
        {naming && <NameForm verb={t("passkey.rename")} name={name} onName={onNamed} onCancel={onCancel} />}
      </div>
      {!naming && (
        <div class="item__actions">
          <button
            type="button"
            class="button button--small"
            aria-label={t("passkey.renameName", { name })}
            onClick={onName}
          >
            {t("passkey.rename")}
          </button>
          <button
            type="button"
            class="button button--small button--quiet"
            aria-label={t("passkey.removeName", { name })}
            onClick={onRemove}
          >
            {t("passkey.remove")}
          </button>
        </div>
      )}
    </li>
  );
}

interface NameFormProps {
  readonly verb: string;
  readonly name?: string;
  readonly adding?: boolean;
  readonly onName: (name: string) => Promise<void>;
  readonly onCancel: () => void;
}

function NameForm({ verb, name = "", adding = false, onName, onCancel }: NameFormProps) {
  const [wanted, setWanted] = useState(name);
  const [tried, setTried] = useState(false);
  const task = useTask();
  const typed = wanted.trim();
  const submit = () => {
    setTried(true);
    if (typed) void task.run(() => onName(typed));
  };
  return (
    <Form busy={task.busy} onSubmit={submit}>
      <Problem error={task.error} />
      <Field
        label={t("passkey.name")}
        value={wanted}
        onValue={setWanted}
        autoComplete="off"
        maxLength={LONGEST_NAME}
        error={tried && !typed ? t("passkey.nameMissing") : undefined}
        hint={adding && t("passkey.nameHint")}
        focus
      />
      {adding && <p class="quiet small">{t("factor.othersEnd")}</p>}
      <div class="row">
        <Submit busy={task.busy}>{verb}</Submit>
        <button type="button" class="button" onClick={onCancel}>
          {t("action.cancel")}
        </button>
      </div>
    </Form>
  );
}
