/**
 * Owns the frame of a page: its heading, its title in the browser, and moving
 * focus to it when the page is arrived at. Must never know which page it is.
 */
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { language, t } from "../language.ts";
import { moves } from "../router.ts";

/** Moves focus to the page's heading: for when what had it is gone. */
export function focusHeading(): void {
  document.querySelector<HTMLElement>("main h1")?.focus();
}

/** Props of a page. */
export interface PageProps {
  readonly title: string;
  readonly lead?: string;
  readonly narrow?: boolean;
  readonly actions?: ComponentChildren;
  /** What stands above the heading. */
  readonly before?: ComponentChildren;
  readonly children: ComponentChildren;
}

/** A page: heading, optional lead, content. */
export function Page({ title, lead, narrow, actions, before, children }: PageProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  const move = moves.value;
  useEffect(() => {
    document.title = `${title} · ${t("brand")}`;
  }, [title, language.value]);
  useEffect(() => {
    // The first document is the browser's to announce; after that, focus says where we are.
    if (move > 0) heading.current?.focus({ preventScroll: true });
  }, [move]);
  return (
    <div class={narrow ? "page page--narrow" : "page"}>
      {before}
      <header class="page__head">
        <div>
          <h1 tabIndex={-1} ref={heading}>
            {title}
          </h1>
          {lead && <p class="lead">{lead}</p>}
        </div>
        {actions && <div class="page__actions">{actions}</div>}
      </header>
      {children}
    </div>
  );
}
