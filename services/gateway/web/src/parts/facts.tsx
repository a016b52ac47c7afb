/** Owns lists of names and values. Must never show a row that has no value. */
import type { ComponentChildren } from "preact";

/** A name and its value; rows without a value are left out. */
export type Fact = readonly [name: ComponentChildren, value: ComponentChildren];

/** Names and values. */
export function Facts({ rows, small }: { readonly rows: readonly Fact[]; readonly small?: boolean }) {
  return (
    <dl class={small ? "facts facts--small" : "facts"}>
      {rows.map(
        ([name, value], place) =>
          value && (
            <div key={place}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ),
      )}
    </dl>
  );
}
