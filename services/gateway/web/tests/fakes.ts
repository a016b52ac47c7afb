/** Owns the stand-ins that tests share: a server that answers by table, and surroundings whose clock is set. */
import type { News, Surroundings } from "../src/session.ts";
import type { Session } from "../src/types.account.ts";

/** A request that the fake server saw. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly body: unknown;
}

/** An answer without streams, so that it arrives as soon as promises settle and tests need no real time. */
export class FakeResponse {
  readonly headers = new Headers();
  readonly ok: boolean;

  constructor(
    readonly status: number,
    private readonly content: unknown,
  ) {
    this.ok = status < 300;
  }

  async text(): Promise<string> {
    return JSON.stringify(this.content);
  }

  /** The body as it would come bit by bit. */
  get body(): ReadableStream<Uint8Array> {
    return new Blob([JSON.stringify(this.content)]).stream();
  }
}

/** What the fake server answers: JSON with 200, or a FakeResponse as it is. */
export type Answer = unknown | FakeResponse | ((seen: Seen) => unknown);

/** Answers by "METHOD /path". A call that is not in the table fails as an unreachable server does. */
export class FakeServer {
  readonly seen: Seen[] = [];

  constructor(readonly table: Record<string, Answer>) {}

  /** To be given where `fetch` is asked for. */
  readonly fetch = (async (input: string, init: RequestInit) => {
    const { pathname: path, search: query } = new URL(input, "https://localhost");
    const seen = { method: init.method ?? "GET", path, query, body: init.body ? JSON.parse(String(init.body)) : undefined };
    this.seen.push(seen);
    const key = `${seen.method} ${path}`;
    if (!(key in this.table)) throw new TypeError("unreachable");
    const entry = this.table[key];
    const answer: unknown = await (typeof entry === "function" ? (entry as (seen: Seen) => unknown)(seen) : entry);
    return answer instanceof FakeResponse ? answer : new FakeResponse(200, answer);
  }) as unknown as typeof globalThis.fetch;

  /** How often a method and path were called. */
  count(key: string): number {
    return this.seen.filter((seen) => `${seen.method} ${seen.path}` === key).length;
  }
}

/** A google.rpc.Status answer. */
export function refusal(status: number, reason: string, details: readonly unknown[] = []): FakeResponse {
  const info = { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason, metadata: { request_id: "req-1" } };
  return new FakeResponse(status, { code: 2, message: "never shown", details: [info, ...details] });
}

/** A clock that stands still until it is moved, with its timers. */
export class FakeSurroundings implements Surroundings {
  readonly told: (News | null)[] = [];
  private timers: { readonly due: number; readonly callback: () => void }[] = [];

  constructor(private time: number) {}

  now(): number {
    return this.time;
  }

  after(milliseconds: number, callback: () => void): () => void {
    const timer = { due: this.time + milliseconds, callback };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  tell(news: News | null): void {
    this.told.push(news);
  }

  /** Lets time pass, timers included. */
  async pass(seconds: number): Promise<void> {
    const end = this.time + seconds * 1000;
    for (;;) {
      const next = this.timers.filter((timer) => timer.due <= end).sort((a, b) => a.due - b.due)[0];
      if (!next) break;
      this.timers = this.timers.filter((timer) => timer !== next);
      this.time = Math.max(this.time, next.due);
      next.callback();
      await settle();
    }
    this.time = end;
  }

  /** The machine slept: time has passed and no timer ran. */
  sleep(seconds: number): void {
    this.time += seconds * 1000;
  }
}

/** Lets promises that can settle do so. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

/** A session that ends so many seconds after `now` (milliseconds since the epoch, on the server's clock). */
export function sessionFor(now: number, seconds: number, accountId = "usr_1"): Session {
  const iso = (time: number) => new Date(time).toISOString();
  return {
    sessionId: "ses_1",
    accountId,
    email: "astrid@example.se",
    authTime: iso(now),
    now: iso(now),
    ends: iso(now + seconds * 1000),
  };
}
