/**
 * Owns "confirm that it is you": a call that wants a more recent sign-in waits
 * here until the person has proved who they are, or would not. Must never hold
 * what they prove it with.
 */
import { signal } from "@preact/signals";

/** The question, and who waits for its answer. */
export class Proof {
  /** The question is on the page. */
  readonly asked = signal(false);
  private waiting: ((proved: boolean) => void)[] = [];

  /** Asks; several calls at once share one question. */
  ask(): Promise<boolean> {
    this.asked.value = true;
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Answers everybody who waits. */
  answer(proved: boolean): void {
    const waiting = this.waiting;
    this.waiting = [];
    this.asked.value = false;
    for (const resolve of waiting) resolve(proved);
  }
}
