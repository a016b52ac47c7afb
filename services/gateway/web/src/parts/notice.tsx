/**
 * Owns messages to the person: notices, and errors in words. Must never show
 * a text that is not from a catalog.
 */
import type { ComponentChildren } from "preact";
import { t } from "../language.ts";
import { tell } from "../problems.ts";

/** How a notice is meant. */
export type Tone = "info" | "good" | "bad" | "wait";

/** A message. Bad ones interrupt a screen reader; others wait their turn. */
export function Notice({ tone = "info", children }: { readonly tone?: Tone; readonly children: ComponentChildren }) {
  return (
    <div class={`notice notice--${tone}`} role={tone === "bad" ? "alert" : "status"}>
      {children}
    </div>
  );
}

/** An error in words, with the request id when it is not of the person's making. */
export function Problem({
  error,
  context = "",
  retry,
}: {
  readonly error: unknown;
  readonly context?: string;
  readonly retry?: () => void;
}) {
  if (!error) return null;
  const { sentence, requestId } = tell(error, context);
  return (
    <Notice tone="bad">
      <p>{sentence}</p>
      {requestId && (
        <p class="small">
          {t("problem.requestId")} <code>{requestId}</code>
        </p>
      )}
      {retry && (
        <button type="button" class="button button--small" onClick={retry}>
          {t("action.tryAgain")}
        </button>
      )}
    </Notice>
  );
}
