/**
 * Owns how the client calls Valv: same-origin JSON, and one typed error for
 * everything that can go wrong. Must never keep or read a token: cookies are
 * HttpOnly and the browser carries them.
 */

/** What is wrong with one field of a request (google.rpc.BadRequest). */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

/** Reason of an error that never reached Valv, or whose answer never came back. */
export const UNREACHABLE = "UNREACHABLE";

/** Reason of a call that wants a more recent sign-in. */
export const REAUTHENTICATE = "REAUTHENTICATE";

/** A call that did not succeed: google.rpc.Status with its details, unpacked. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  /**
   * @param status HTTP status, 0 when there was no answer.
   * @param reason stable reason of ErrorInfo; empty when the answer carried none.
   * @param requestId what to tell support; empty when unknown.
   * @param retryAfter seconds to wait, when the server said so.
   * @param violations fields at fault.
   */
  constructor(
    readonly status: number,
    readonly reason: string,
    readonly requestId = "",
    readonly retryAfter: number | undefined = undefined,
    readonly violations: readonly FieldViolation[] = [],
  ) {
    super(reason || `HTTP ${status}`);
  }
}

/** Reasons of a 401 that say so of the session; others say it of a password or a code. */
const NO_SESSION: ReadonlySet<string> = new Set(["", "UNAUTHENTICATED", "SESSION_ENDED"]);

interface Detail {
  readonly "@type"?: string;
  readonly reason?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly fieldViolations?: readonly FieldViolation[];
  readonly retryDelay?: string;
}

/** Turns an answer that is not a success into an ApiError; any body will do. */
export function errorOf(status: number, header: (name: string) => string | null, body: string): ApiError {
  const details = detailsOf(body);
  const find = (type: string) => details.find((detail) => detail["@type"]?.endsWith(`/google.rpc.${type}`));
  const info = find("ErrorInfo");
  const delay = Number.parseFloat(find("RetryInfo")?.retryDelay ?? header("retry-after") ?? "");
  return new ApiError(
    status,
    info?.reason ?? "",
    info?.metadata?.["request_id"] ?? header("x-request-id") ?? "",
    Number.isFinite(delay) ? Math.ceil(delay) : undefined,
    find("BadRequest")?.fieldViolations ?? [],
  );
}

function detailsOf(body: string): readonly Detail[] {
  try {
    const status: unknown = JSON.parse(body);
    if (typeof status === "object" && status !== null && "details" in status && Array.isArray(status.details)) {
      return status.details as readonly Detail[];
    }
  } catch {
    // Not JSON: a proxy in between answered. The status alone has to do.
  }
  return [];
}

/** What the client is told about every call, whoever made it. */
export interface Listener {
  /** A call that counts as activity was answered. */
  active(): void;
  /** The server knows no live session for this browser. */
  signedOut(): void;
}

/** How a call treats the session. */
export interface CallOptions {
  readonly body?: unknown;
  /** The call needs no session: a 401 is the caller's own to explain. */
  readonly anonymous?: boolean;
  /** The call does not count as activity. */
  readonly passive?: boolean;
}

const TIMEOUT_MS = 20_000;

/** Calls Valv. */
export class Api {
  private listener: Listener = { active: () => {}, signedOut: () => {} };
  private prove: () => Promise<boolean> = async () => false;

  constructor(private readonly fetch: typeof globalThis.fetch) {}

  /** Names who is told about calls. */
  listen(listener: Listener): void {
    this.listener = listener;
  }

  /** Names who asks the person to prove again who they are; true when they did. */
  provedBy(prove: () => Promise<boolean>): void {
    this.prove = prove;
  }

  /** Tells that a request made elsewhere (a download link, an upload) was activity. */
  touched(): void {
    this.listener.active();
  }

  /** Tells of an error that something else than `call` received. */
  noticed(error: ApiError): void {
    if (error.status === 401 && NO_SESSION.has(error.reason)) this.listener.signedOut();
  }

  /** Makes a call and returns its JSON. Throws ApiError. */
  async call<T>(method: "GET" | "POST" | "DELETE", path: string, options: CallOptions = {}): Promise<T> {
    const text = await this.text(method, path, options);
    if (!options.anonymous && !options.passive) this.listener.active();
    return JSON.parse(text || "{}") as T;
  }

  /**
   * Makes a call and returns its body as text. Throws ApiError. A call that wants a more recent
   * sign-in is made once more when the person has proved who they are.
   */
  async text(method: string, path: string, options: CallOptions = {}): Promise<string> {
    try {
      return await this.once(method, path, options);
    } catch (error) {
      if (!(error instanceof ApiError) || error.reason !== REAUTHENTICATE || !(await this.prove())) throw error;
      return await this.once(method, path, options);
    }
  }

  /** Begins to read a body of any length. Throws ApiError. */
  async stream(path: string, signal: AbortSignal): Promise<Response> {
    let response: Response;
    try {
      response = await this.fetch(path, { credentials: "same-origin", cache: "no-store", redirect: "error", signal });
    } catch {
      signal.throwIfAborted();
      throw new ApiError(0, UNREACHABLE);
    }
    if (response.ok) {
      this.listener.active();
      return response;
    }
    const error = errorOf(response.status, (name) => response.headers.get(name), await response.text());
    this.noticed(error);
    throw error;
  }

  /**
   * A read whose connection breaks is made once more: browsers break them all when a computer changes its
   * network. What may have changed something is not repeated, nor what has had its time.
   */
  private async once(method: string, path: string, options: CallOptions, again = method === "GET"): Promise<string> {
    let response: Response;
    let body: string;
    try {
      response = await this.fetch(path, {
        method,
        credentials: "same-origin",
        cache: "no-store",
        redirect: "error",
        headers: options.body === undefined ? {} : { "content-type": "application/json" },
        body: options.body === undefined ? null : JSON.stringify(options.body),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      body = await response.text();
    } catch (error) {
      if (again && !(error instanceof DOMException)) return await this.once(method, path, options, false);
      throw new ApiError(0, UNREACHABLE);
    }
    if (response.ok) return body;
    const error = errorOf(response.status, (name) => response.headers.get(name), body);
    if (!options.anonymous) this.noticed(error);
    throw error;
  }
}
