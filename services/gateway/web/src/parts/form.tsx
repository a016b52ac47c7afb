/**
 * Owns form controls: labelled fields, and the button that shows work under
 * way. Must never keep what was typed beyond the form.
 */
import type { ComponentChildren } from "preact";
import { useId, useState } from "preact/hooks";
import { t } from "../language.ts";

/** Props of a text field. */
export interface FieldProps {
  readonly label: string;
  readonly value: string;
  readonly onValue: (value: string) => void;
  readonly type?: "text" | "email" | "password";
  readonly autoComplete: "username" | "current-password" | "new-password";
  readonly error?: string | undefined;
  readonly hint?: ComponentChildren;
  readonly trailing?: ComponentChildren;
  readonly maxLength?: number;
}

/** A labelled text field; its hint and its error are tied to it for screen readers. */
export function Field(props: FieldProps) {
  const id = useId();
  const describedBy = [props.hint && `${id}-hint`, props.error && `${id}-error`].filter(Boolean).join(" ");
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <div class="field__row">
        <input
          id={id}
          // The typings pair each type with its own roles; none is set here.
          {...({ type: props.type ?? "text" } as { type: "text" })}
          value={props.value}
          required
          autocomplete={props.autoComplete}
          autocapitalize="none"
          spellcheck={false}
          maxLength={props.maxLength}
          aria-invalid={props.error ? "true" : undefined}
          aria-describedby={describedBy || undefined}
          onInput={(event) => props.onValue(event.currentTarget.value)}
        />
        {props.trailing}
      </div>
      {props.error && (
        <p class="field__error" id={`${id}-error`}>
          {props.error}
        </p>
      )}
      {props.hint && (
        <div class="field__hint" id={`${id}-hint`}>
          {props.hint}
        </div>
      )}
    </div>
  );
}

/** A password field that can show what was typed. Paste is as good as typing. */
export function PasswordField(props: Omit<FieldProps, "type" | "trailing">) {
  const [shown, setShown] = useState(false);
  const reveal = (
    <button
      type="button"
      class="field__reveal"
      aria-pressed={shown}
      aria-label={t("password.show")}
      onClick={() => setShown(!shown)}
    >
      {shown ? t("password.hideShort") : t("password.showShort")}
    </button>
  );
  return <Field {...props} type={shown ? "text" : "password"} trailing={reveal} />;
}

/** A form's main button. While busy it says so and cannot be pressed again. */
export function Submit({ busy, children }: { readonly busy: boolean; readonly children: ComponentChildren }) {
  return (
    <button type="submit" class="button button--main" aria-disabled={busy}>
      {busy && <span class="spinner" aria-hidden="true" />}
      {children}
    </button>
  );
}

/** A form that never leaves the page. `busy` makes a second submit nothing; focus goes to the first field at fault. */
export function Form(props: {
  readonly busy: boolean;
  readonly onSubmit: () => void;
  readonly children: ComponentChildren;
}) {
  return (
    <form
      class="form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        if (!props.busy) props.onSubmit();
        const form = event.currentTarget;
        requestAnimationFrame(() => form.querySelector<HTMLElement>("[aria-invalid]")?.focus());
      }}
    >
      {props.children}
    </form>
  );
}
