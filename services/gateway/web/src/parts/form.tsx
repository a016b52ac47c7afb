/**
 * Owns form controls: labelled fields, and the button that shows work under
 * way. Must never keep what was typed beyond the form.
 */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { t } from "../language.ts";

/** Props of a text field. */
export interface FieldProps {
  readonly label: string;
  readonly value: string;
  readonly onValue: (value: string) => void;
  readonly type?: "text" | "email" | "password";
  readonly autoComplete: "username" | "username webauthn" | "email" | "current-password" | "new-password" | "one-time-code" | "off";
  readonly error?: string | undefined;
  readonly hint?: ComponentChildren;
  readonly trailing?: ComponentChildren;
  readonly maxLength?: number;
  /** What the keyboard of a phone should offer. */
  readonly keys?: "numeric" | "text";
  readonly onFocus?: () => void;
  /** The field takes the focus when it comes onto the page. */
  readonly focus?: boolean;
}

/** A labelled text field; its hint and its error are tied to it for screen readers. */
export function Field(props: FieldProps) {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (props.focus) input.current?.focus();
  }, []);
  const describedBy = [props.hint && `${id}-hint`, props.error && `${id}-error`].filter(Boolean).join(" ");
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <div class="field__row">
        <input
          id={id}
          ref={input}
          // The typings pair each type with its own roles; none is set here.
          {...({ type: props.type ?? "text" } as { type: "text" })}
          value={props.value}
          required
          autocomplete={props.autoComplete}
          autocapitalize="none"
          spellcheck={false}
          maxLength={props.maxLength}
          inputMode={props.keys}
          aria-invalid={props.error ? "true" : undefined}
          aria-describedby={describedBy || undefined}
          onFocus={props.onFocus}
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
export function Submit(props: { readonly busy: boolean; readonly focus?: boolean; readonly children: ComponentChildren }) {
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (props.focus) button.current?.focus();
  }, []);
  return (
    <button ref={button} type="submit" class="button button--main" aria-disabled={props.busy}>
      {props.busy && <span class="spinner" aria-hidden="true" />}
      {props.children}
    </button>
  );
}

/**
 * A form that never leaves the page. `busy` makes a second submit nothing; focus goes to the first field at fault,
 * whether the form found the fault or the server did.
 */
export function Form(props: {
  readonly busy: boolean;
  readonly onSubmit: () => void;
  readonly children: ComponentChildren;
}) {
  const form = useRef<HTMLFormElement>(null);
  const toFault = () => form.current?.querySelector<HTMLElement>("[aria-invalid]")?.focus();
  const worked = useRef(false);
  useEffect(() => {
    if (worked.current && !props.busy) toFault();
    worked.current = props.busy;
  }, [props.busy]);
  return (
    <form
      ref={form}
      class="form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        if (!props.busy) props.onSubmit();
        requestAnimationFrame(toFault);
      }}
    >
      {props.children}
    </form>
  );
}
