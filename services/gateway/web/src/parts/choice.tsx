/** Owns a labelled list of choices and a labelled day. Must never decide what can be chosen. */
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

/** Props of a choice. */
export interface ChoiceProps {
  readonly label: string;
  readonly value: string;
  readonly onValue: (value: string) => void;
  /** The options. */
  readonly children: ComponentChildren;
}

/** A labelled list of choices. */
export function Choice({ label, value, onValue, children }: ChoiceProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => onValue(event.currentTarget.value)}>
        {children}
      </select>
    </div>
  );
}

/** Props of a day. */
export interface DayProps {
  readonly label: string;
  /** "2026-01-31", or empty. */
  readonly value: string;
  readonly onValue: (value: string) => void;
  readonly min?: string;
  readonly max?: string;
}

/** A labelled day. */
export function Day({ label, value, onValue, min, max }: DayProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="date"
        value={value}
        min={min || undefined}
        max={max || undefined}
        onInput={(event) => onValue(event.currentTarget.value)}
      />
    </div>
  );
}
