/** Owns the form that narrows the activity. Must never ask the server itself. */
import { useId, useState } from "preact/hooks";
import { AREAS, actionsOf, EVERYTHING, type Filter, narrows } from "../activity-filter.ts";
import { type Key, maybe, t } from "../language.ts";
import { Choice, Day } from "../parts/choice.tsx";

const AREA_NAMES: Readonly<Record<(typeof AREAS)[number], Key>> = {
  auth: "filter.area.auth",
  files: "filter.area.files",
  billing: "filter.area.billing",
  audit: "filter.area.audit",
};
const OUTCOMES: readonly (readonly [string, Key])[] = [
  ["OUTCOME_SUCCESS", "filter.done"],
  ["OUTCOME_DENIED", "activity.denied"],
  ["OUTCOME_FAILED", "activity.failed"],
];
const ACTORS: readonly (readonly [string, Key])[] = [
  ["KIND_CUSTOMER", "filter.me"],
  ["KIND_OPERATOR", "filter.operator"],
  ["KIND_SERVICE", "filter.service"],
  ["KIND_NOBODY", "filter.nobody"],
];

/** The form; `onFilter` gets what is to be shown. */
export function FilterForm({ busy, onFilter }: { readonly busy: boolean; readonly onFilter: (filter: Filter) => void }) {
  const [filter, setFilter] = useState(EVERYTHING);
  const change = (part: Partial<Filter>) => setFilter((before) => ({ ...before, ...part }));
  const clear = () => {
    setFilter(EVERYTHING);
    onFilter(EVERYTHING);
  };
  return (
    <details class="panel panel--fold filter">
      <summary>{t("filter.title")}</summary>
      <form
        class="filter__form"
        onSubmit={(event) => {
          event.preventDefault();
          if (!busy) onFilter(filter);
        }}
      >
        <What value={filter.what} onValue={(what) => change({ what })} />
        <Options label={t("filter.who")} value={filter.who} onValue={(who) => change({ who })} options={ACTORS} />
        <Options label={t("filter.outcome")} value={filter.outcome} onValue={(outcome) => change({ outcome })} options={OUTCOMES} />
        <Thing value={filter.object} onValue={(object) => change({ object })} />
        <Day label={t("filter.from")} value={filter.from} max={filter.to} onValue={(from) => change({ from })} />
        <Day label={t("filter.to")} value={filter.to} min={filter.from} onValue={(to) => change({ to })} />
        <div class="filter__end">
          <button type="submit" class="button button--main" aria-disabled={busy}>
            {t("filter.show")}
          </button>
          {narrows(filter) && (
            <button type="button" class="button" onClick={clear}>
              {t("filter.clear")}
            </button>
          )}
        </div>
      </form>
    </details>
  );
}

function What({ value, onValue }: { readonly value: string; readonly onValue: (value: string) => void }) {
  return (
    <Choice label={t("filter.what")} value={value} onValue={onValue}>
      <option value="">{t("filter.everything")}</option>
      {AREAS.map((area) => (
        <optgroup key={area} label={t(AREA_NAMES[area])}>
          <option value={`${area}.*`}>{t("filter.all", { area: t(AREA_NAMES[area]) })}</option>
          {named(area).map(([action, name]) => (
            <option key={action} value={action}>
              {name}
            </option>
          ))}
        </optgroup>
      ))}
    </Choice>
  );
}

/** The actions of an area with their words, in the order of the alphabet. */
function named(area: string): readonly (readonly [string, string])[] {
  const found = actionsOf(area).map((action) => [action, maybe(`done.${action}`) ?? action] as const);
  return found.sort(([, one], [, other]) => one.localeCompare(other));
}

interface OptionsProps {
  readonly label: string;
  readonly value: string;
  readonly onValue: (value: string) => void;
  readonly options: readonly (readonly [string, Key])[];
}

function Options({ label, value, onValue, options }: OptionsProps) {
  return (
    <Choice label={label} value={value} onValue={onValue}>
      <option value="">{t("filter.any")}</option>
      {options.map(([one, name]) => (
        <option key={one} value={one}>
          {t(name)}
        </option>
      ))}
    </Choice>
  );
}

function Thing({ value, onValue }: { readonly value: string; readonly onValue: (value: string) => void }) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{t("filter.object")}</label>
      <input
        id={id}
        value={value}
        maxLength={96}
        pattern="[A-Za-z0-9._\/\-]*"
        title={t("filter.objectHint")}
        autocomplete="off"
        autocapitalize="none"
        spellcheck={false}
        aria-describedby={`${id}-hint`}
        onInput={(event) => onValue(event.currentTarget.value)}
      />
      <p class="field__hint" id={`${id}-hint`}>
        {t("filter.objectHint")}
      </p>
    </div>
  );
}
