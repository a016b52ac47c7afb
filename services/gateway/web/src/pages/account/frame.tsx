/** Owns what the account's pages have in common: their heading, and the way between them. */
import type { ComponentChildren } from "preact";
import { type Key, t } from "../../language.ts";
import { Page } from "../../parts/page.tsx";
import { route } from "../../router.ts";
import { type PageName, pathOf } from "../../routes.ts";

const sections: readonly (readonly [PageName, Key])[] = [
  ["account", "account.profile"],
  ["accountSecurity", "account.security"],
  ["accountLinks", "account.links"],
  ["accountData", "account.data"],
];

/** One of the account's pages. */
export function AccountFrame(props: {
  readonly title: string;
  readonly lead?: string;
  readonly children: ComponentChildren;
}) {
  return (
    <Page title={props.title} {...(props.lead && { lead: props.lead })} before={<Sections />}>
      {props.children}
    </Page>
  );
}

function Sections() {
  return (
    <nav class="subsections" aria-label={t("nav.account")}>
      <ul>
        {sections.map(([page, title]) => (
          <li key={page}>
            <a href={pathOf(page)} aria-current={route.value?.page === page ? "page" : undefined}>
              {t(title)}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}
