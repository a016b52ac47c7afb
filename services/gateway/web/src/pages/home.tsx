/** Owns the first page: what Valv is, to a visitor; where things are, to a customer. */
import { moment } from "../format.ts";
import { type Key, t } from "../language.ts";
import { Icon, type IconName } from "../parts/marks.tsx";
import { Page } from "../parts/page.tsx";
import { type PageName, pathOf } from "../routes.ts";
import type { Session } from "../types.account.ts";
import { useValv } from "../valv.ts";

/** The landing page, or the overview. */
export function HomePage() {
  const { session } = useValv();
  const state = session.state.value;
  return state.kind === "in" ? <Overview session={state.session} /> : <Landing />;
}

interface Tile {
  readonly page: PageName;
  readonly icon: IconName;
  readonly title: Key;
  readonly text: Key;
}

const tiles: readonly Tile[] = [
  { page: "files", icon: "file", title: "nav.files", text: "home.files" },
  { page: "cards", icon: "card", title: "nav.cards", text: "home.cards" },
  { page: "charges", icon: "coins", title: "nav.charges", text: "home.charges" },
  { page: "activity", icon: "list", title: "nav.activity", text: "home.activity" },
  { page: "account", icon: "person", title: "nav.account", text: "home.account" },
  { page: "security", icon: "shield", title: "nav.security", text: "home.security" },
];

function Overview({ session }: { readonly session: Session }) {
  return (
    <Page title={t("nav.home")} lead={t("home.since", { email: session.email, time: moment(session.authTime) })}>
      <ul class="tiles">
        {tiles.map((tile) => (
          <li key={tile.page}>
            <a class="tile" href={pathOf(tile.page)}>
              <Icon name={tile.icon} />
              <strong>{t(tile.title)}</strong>
              <span>{t(tile.text)}</span>
            </a>
          </li>
        ))}
      </ul>
    </Page>
  );
}

const points = [
  ["landing.filesTitle", "landing.files", "file"],
  ["landing.cardsTitle", "landing.cards", "card"],
  ["landing.activityTitle", "landing.activity", "list"],
  ["landing.sessionTitle", "landing.session", "shield"],
] as const;

function Landing() {
  return (
    <Page title={t("landing.title")} lead={t("landing.lead")}>
      <p class="row">
        <a class="button button--main button--large" href={pathOf("signUp")}>
          {t("landing.begin")}
        </a>
        <a class="button button--large" href={pathOf("signIn")}>
          {t("nav.signIn")}
        </a>
      </p>
      <ul class="tiles tiles--points">
        {points.map(([title, text, icon]) => (
          <li key={title}>
            <div class="tile">
              <Icon name={icon} />
              <h2>{t(title)}</h2>
              <p>{t(text)}</p>
            </div>
          </li>
        ))}
      </ul>
      <p class="aside">
        {t("landing.evidence")} <a href={pathOf("security")}>{t("landing.evidenceLink")}</a>
      </p>
    </Page>
  );
}
