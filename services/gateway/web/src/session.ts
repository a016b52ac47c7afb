/**
 * Owns what the client knows of its session: who is signed in and, counted
 * down from the server's clock, for how long. Must never decide that a session
 * lives (the server does), never poll, never keep a token.
 */
import { computed, signal } from "@preact/signals";
import { type Api, ApiError } from "./api.ts";
import { extendSession, getSession, signOut } from "./calls.account.ts";
import type { Session } from "./types.account.ts";

/** Why nobody is signed in. */
export type SignedOutReason = "none" | "ended" | "left" | "unknown";

/** What the client knows of its session. */
export type SessionState =
  | { readonly kind: "asking" }
  | { readonly kind: "out"; readonly why: SignedOutReason }
  | { readonly kind: "in"; readonly session: Session };

/** The parts of the browser that a session keeper needs. */
export interface Surroundings {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls back after so many milliseconds; returns how to call it off. */
  after(milliseconds: number, callback: () => void): () => void;
  /** Tells the browser's other tabs of this session's end, or of its absence. */
  tell(news: News | null): void;
}

/** What tabs tell each other: whose session, and when it ends. Opaque id and time only. */
export interface News {
  readonly account: string;
  readonly ends: string;
}

/** An answer that may hold a session. */
interface Answer {
  readonly session?: Session;
}

/** Seconds before the end at which the person is warned. */
export const WARNING_SECONDS = 120;

/** An edge assertion lives 30 s: `ends` cannot move more often than that. */
const REFRESH_EVERY_MS = 30_000;

/** Keeps the session's state. */
export class SessionKeeper {
  /** What is known. */
  readonly state = signal<SessionState>({ kind: "asking" });
  /** Whole seconds until the session ends; 0 when nobody is signed in. */
  readonly remaining = signal(0);
  /** The end is near. */
  readonly warning = computed(() => this.state.value.kind === "in" && this.remaining.value <= WARNING_SECONDS);

  /** Server clock minus local clock, in milliseconds; errs towards ending early. */
  private skew = 0;
  private refreshed = -Infinity;
  private stopTick = () => {};
  private stopRefresh = () => {};

  constructor(
    private readonly api: Api,
    private readonly around: Surroundings,
  ) {
    api.listen({ active: () => this.refreshSoon(), signedOut: () => this.out("ended") });
  }

  /** Asks who is signed in: at the start, and whenever `ends` may have moved. */
  async refresh(): Promise<void> {
    this.stopRefresh();
    this.refreshed = this.around.now();
    const first = this.state.value.kind === "asking";
    try {
      await this.learn(getSession(this.api));
    } catch (error) {
      const refused = error instanceof ApiError && error.status === 401;
      if (first) this.out(refused ? "none" : "unknown");
      else if (refused) this.out("ended");
    }
  }

  /** Takes it that nobody is signed in, without asking. */
  assumeNobody(): void {
    this.state.value = { kind: "out", why: "none" };
  }

  /** Takes the session that an answer to `asked` holds; one that asks for a second step holds none. */
  async learn<T extends Answer>(asked: Promise<T>): Promise<T> {
    const sent = this.around.now();
    const answer = await asked;
    if (answer.session) this.take(answer.session, sent);
    return answer;
  }

  private take(session: Session, sent: number): void {
    this.skew = Date.parse(session.now) - sent;
    this.refreshed = this.around.now();
    this.state.value = { kind: "in", session };
    this.around.tell({ account: session.accountId, ends: session.ends });
    this.tick();
  }

  /** Stays signed in. */
  async extend(): Promise<void> {
    await this.learn(extendSession(this.api));
  }

  /** Signs out, or ends the session by `end`. The view goes only when the server has ended the session. */
  async leave(end: () => Promise<unknown> = () => signOut(this.api)): Promise<void> {
    await end();
    this.out("left");
  }

  /** Hears from another tab. Returns false when this page shows another account and must be loaded anew. */
  hear(news: News | null): boolean {
    const state = this.state.value;
    if (state.kind !== "in") return news === null;
    if (news === null) this.out("left", false);
    else if (news.account !== state.session.accountId) return false;
    else if (news.ends !== state.session.ends) {
      this.state.value = { kind: "in", session: { ...state.session, ends: news.ends } };
      this.tick();
    }
    return true;
  }

  /** Looks at the clock: after sleep, timers are late. */
  tick(): void {
    this.stopTick();
    if (this.state.value.kind !== "in") return;
    const before = this.remaining.value;
    const left = this.seconds();
    this.remaining.value = Math.max(0, left);
    if (left <= 0) {
      void this.confirmEnd(this.state.value.session);
      return;
    }
    if (before > WARNING_SECONDS && left <= WARNING_SECONDS) void this.refresh();
    this.stopTick = this.around.after(1000, () => this.tick());
  }

  /** Hides what is on the page, then asks once: another tab may have stayed signed in. */
  private async confirmEnd(ended: Session): Promise<void> {
    this.state.value = { kind: "asking" };
    try {
      const answer = await getSession(this.api);
      if (Date.parse(answer.session.ends) > Date.parse(ended.ends)) await this.learn(Promise.resolve(answer));
      else this.out("ended");
    } catch {
      this.out("ended");
    }
  }

  private seconds(): number {
    const state = this.state.value;
    if (state.kind !== "in") return 0;
    return Math.floor((Date.parse(state.session.ends) - this.around.now() - this.skew) / 1000);
  }

  private refreshSoon(): void {
    if (this.state.value.kind !== "in") return;
    const wait = this.refreshed + REFRESH_EVERY_MS - this.around.now();
    this.stopRefresh();
    this.stopRefresh = this.around.after(Math.max(0, wait), () => void this.refresh());
  }

  private out(why: SignedOutReason, tell = why !== "unknown"): void {
    if (this.state.value.kind === "out") return;
    this.stopTick();
    this.stopRefresh();
    this.remaining.value = 0;
    this.state.value = { kind: "out", why };
    if (tell) this.around.tell(null);
  }
}
