/**
 * Owns which page is shown to whom. Must never show a signed-in page, or keep
 * it on screen, without a live session.
 */
import type { ComponentType } from "preact";
import { AccountDataPage } from "./pages/account/data.tsx";
import { AccountLinksPage } from "./pages/account/links.tsx";
import { ProfilePage } from "./pages/account/profile.tsx";
import { AccountSecurityPage } from "./pages/account/security.tsx";
import { ActivityPage } from "./pages/activity.tsx";
import { CardsPage } from "./pages/cards.tsx";
import { ChargesPage } from "./pages/charges.tsx";
import { ConfirmChangePage, ConfirmPage } from "./pages/confirm.tsx";
import { FilesPage } from "./pages/files.tsx";
import { HomePage } from "./pages/home.tsx";
import { LinkedPage } from "./pages/linked.tsx";
import { NotFoundPage } from "./pages/not-found.tsx";
import { RecoverPage, ResetPage } from "./pages/recover.tsx";
import { SecurityPage } from "./pages/security.tsx";
import { SignInPage } from "./pages/sign-in.tsx";
import { SignUpPage } from "./pages/sign-up.tsx";
import { Waiting } from "./parts/pages.tsx";
import { Prove } from "./parts/prove.tsx";
import { Shell } from "./parts/shell.tsx";
import { moves, route } from "./router.ts";
import type { PageName } from "./routes.ts";
import { useValv } from "./valv.ts";

const pages: Readonly<Record<PageName, ComponentType>> = {
  home: HomePage,
  signUp: SignUpPage,
  signIn: SignInPage,
  confirm: ConfirmPage,
  confirmChange: ConfirmChangePage,
  recover: RecoverPage,
  reset: ResetPage,
  files: FilesPage,
  cards: CardsPage,
  charges: ChargesPage,
  activity: ActivityPage,
  account: ProfilePage,
  accountSecurity: AccountSecurityPage,
  accountLinks: AccountLinksPage,
  accountData: AccountDataPage,
  linked: LinkedPage,
  security: SecurityPage,
};

/** Pages that do not wait to be told who is signed in. */
const withoutAsking: ReadonlySet<PageName> = new Set(["security", "confirm", "reset"]);

/** The client. */
export function App() {
  return (
    <Shell>
      <Current />
      <Prove />
    </Shell>
  );
}

/** The page of the address bar, begun anew at every move. */
function Current() {
  const { session } = useValv();
  const here = route.value;
  if (!here) return <NotFoundPage />;
  const state = session.state.value.kind;
  const Shown = pages[here.page];
  if (state === "asking" && !withoutAsking.has(here.page)) return <Waiting />;
  if (here.access === "signed-in" && state === "out") return <SignInPage />;
  if (here.page === "signIn" && state === "in") return <HomePage />;
  return <Shown key={`${here.page} ${moves.value}`} />;
}
