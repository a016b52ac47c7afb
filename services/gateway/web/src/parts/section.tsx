/** Owns a panel with a heading of its own, and the news of what was done in it. Must never decide what is news. */
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { Pill, type PillTone } from "./marks.tsx";

/** Props of a section. */
export interface SectionProps {
  readonly title: string;
  /** How the thing stands, in a word or two. */
  readonly state?: readonly [PillTone, string] | undefined;
  /** What was just done here; told to screen readers when it changes. */
  readonly said?: string;
  readonly children: ComponentChildren;
}

/** A part of a page. */
export function Section({ title, state, said, children }: SectionProps) {
  const id = useId();
  return (
    <section class="panel" aria-labelledby={id}>
      <h2 id={id} tabIndex={-1}>
        {title} {state && <Pill tone={state[0]}>{state[1]}</Pill>}
      </h2>
      <div class="panel__said" role="status">
        {said && <div class="notice notice--good">{said}</div>}
      </div>
      {children}
    </section>
  );
}
