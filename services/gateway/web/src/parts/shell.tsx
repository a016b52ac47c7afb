/**
 * Owns what surrounds every page: brand, navigation, who is signed in and for
 * how long, the language. Must never make a call by itself except those that
 * the person asks for.
 */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { clock, countdown } from "../format.ts";
import { type Language, language, languageNames, languages, speak, t } from "../language.ts";
import { go, route } from "../router.ts";
import { pathOf } from "../routes.ts";
import { WARNING_SECONDS } from "../session.ts";
import { useValv } from "../valv.ts";
import { Logo } from "./marks.tsx";
import { Problem } from "./notice.tsx";

/** The frame. */
export function Shell({ children }: { readonly children: ComponentChildren }) {
  const { session } = useValv();
  const signedIn = session.state.value.kind === "in";
  return (
    <>
      <a class="skip" href="#content">
        {t("shell.skip")}
      </a>
      <header class="top">
        <div class="top__row">
          <a class="brand" href="/">
            <Logo />
            <span>{t("brand")}</span>
          </a>
          {signedIn ? <WhoAndHowLong /> : <VisitorLinks />}
        </div>
        {signedIn && <Navigation />}
      </header>
      <EndWarning />
      <main id="content" tabIndex={-1}>
        {children}
      </main>
      <footer class="foot">
        <nav aria-label={t("shell.footer")}>
          <a href={pathOf("security")}>{t("nav.security")}</a>
        </nav>
        <Languages />
      </footer>
    </>
  );
}

function VisitorLinks() {
  const { session } = useValv();
  if (session.state.value.kind === "asking") return null;
  return (
    <nav class="top__visitor" aria-label={t("shell.visitor")}>
      <Link page="security" />
      <Link page="signIn" />
      <a class="button button--small button--main" href={pathOf("signUp")}>
        {t("nav.signUp")}
      </a>
    </nav>
  );
}

/** Pages that links name. */
const sections = ["home", "files", "cards", "charges", "activity", "account"] as const;
type Named = (typeof sections)[number] | "security" | "signIn";

function Navigation() {
  const sending = useValv().uploads.active.value;
  return (
    <nav class="sections" aria-label={t("shell.main")}>
      <ul>
        {sections.map((page) => (
          <li key={page}>
            <Link page={page} />
            {page === "files" && sending && (
              <span class="sending" role="img" aria-label={t("uploads.active")}>
                <span class="spinner" />
              </span>
            )}
          </li>
        ))}
      </ul>
    </nav>
  );
}

function Link({ page }: { readonly page: Named }) {
  // A page below the section is in the section, without being it.
  const here = route.value?.page === page ? "page" : route.value?.path.startsWith(`${pathOf(page)}/`) && page !== "home";
  return (
    <a href={pathOf(page)} aria-current={here || undefined}>
      {t(`nav.${page}`)}
    </a>
  );
}

function WhoAndHowLong() {
  const { session } = useValv();
  const state = session.state.value;
  const [error, setError] = useState<unknown>();
  if (state.kind !== "in") return null;
  const leave = async () => {
    try {
      await session.leave();
      go("/sign-in");
    } catch (caught) {
      setError(caught);
    }
  };
  return (
    <div class="who">
      <div class="who__text">
        <span class="who__email">{state.session.email}</span>
        <span class="who__time">
          {t("session.leftLabel")}{" "}
          <span role="timer" class="tabular" aria-label={t("session.timer")} title={clock(state.session.ends)}>
            {countdown(session.remaining.value)}
          </span>
        </span>
      </div>
      <button type="button" class="button button--small" onClick={() => void leave()}>
        {t("session.signOut")}
      </button>
      <Problem error={error} />
    </div>
  );
}

/** Warns two minutes before the end. The region is always there, so that screen readers hear it fill. */
function EndWarning() {
  const { session } = useValv();
  const [error, setError] = useState<unknown>();
  const [atLimit, setAtLimit] = useState(false);
  const stay = async () => {
    setError(undefined);
    try {
      await session.extend();
      // An unmoved end is the absolute one: no activity can pass it.
      setAtLimit(session.remaining.value <= WARNING_SECONDS);
    } catch (caught) {
      setError(caught);
    }
  };
  return (
    <div class="end-warning" role="alert">
      {session.warning.value && (
        <div class="end-warning__box">
          <p>{atLimit ? t("session.limit") : t("session.warning")}</p>
          {!atLimit && (
            <button type="button" class="button button--main" onClick={() => void stay()}>
              {t("session.stay")}
            </button>
          )}
          <Problem error={error} />
        </div>
      )}
    </div>
  );
}

function Languages() {
  return (
    <label class="languages">
      <span>{t("language.label")}</span>
      <select value={language.value} onChange={(event) => void speak(event.currentTarget.value as Language)}>
        {languages.map((code) => (
          <option key={code} value={code} lang={code}>
            {languageNames[code]}
          </option>
        ))}
      </select>
    </label>
  );
}
