/**
 * Owns a panel with a heading of its own, the news of what was done in it, and
 * where focus goes when what had it is gone. Must never decide what is news.
 */
import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef } from "preact/hooks";
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
  const panel = useRef<HTMLElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const within = panel.current?.contains(document.activeElement);
  useLayoutEffect(() => {
    if (within && document.activeElement === document.body) heading.current?.focus();
  });
  return (
    <section class="panel" aria-labelledby={id} ref={panel}>
      <h2 id={id} tabIndex={-1} ref={heading}>
        {title} {state && <Pill tone={state[0]}>{state[1]}</Pill>}
      </h2>
      <div class="panel__said" role="status">
        {said && <div class="notice notice--good">{said}</div>}
      </div>
      {children}
    </section>
  );
}
