/**
 * Owns how an error is told to a person: a sentence by its stable reason, and
 * the request id when support will need it. Must never show a server's text.
 */
import { ApiError, UNREACHABLE } from "./api.ts";
import { maybe, plural, t } from "./language.ts";
import { PasskeyError } from "./passkeys.ts";

/** An error, in words. */
export interface Told {
  readonly sentence: string;
  /** Shown when the error is not of the person's making. Empty otherwise. */
  readonly requestId: string;
}

/** Tells an error. `context` picks a sentence of its own where one page means something else by a reason. */
export function tell(error: unknown, context = ""): Told {
  if (error instanceof PasskeyError) return { sentence: t(`problem.passkey.${error.trouble}`), requestId: "" };
  if (!(error instanceof ApiError)) return { sentence: t("problem.unexpected"), requestId: "" };
  const sentence = named(error, context) ?? byStatus(error.status);
  const expected = error.status >= 400 && error.status < 500 && sentence !== t("problem.unexpected");
  return { sentence: withWait(sentence, error), requestId: expected ? "" : error.requestId };
}

function named(error: ApiError, context: string): string | undefined {
  if (!error.reason) return undefined;
  return maybe(`problem.${context}.${error.reason}`) ?? maybe(`problem.${error.reason}`);
}

function byStatus(status: number): string {
  if (status === 0) return t(`problem.${UNREACHABLE}`);
  return maybe(`problem.status.${status}`) ?? t("problem.unexpected");
}

function withWait(sentence: string, error: ApiError): string {
  const wait = error.retryAfter;
  if (wait === undefined || wait <= 0) return sentence;
  const when = wait < 90 ? plural("problem.wait.seconds", wait) : plural("problem.wait.minutes", Math.ceil(wait / 60));
  return `${sentence} ${when}`;
}
