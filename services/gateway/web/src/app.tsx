/**
 * Owns which page is shown to whom. Must never show a signed-in page, or keep
 * it on screen, without a live session.
 */
import type { ComponentType } from "preact";
import { AccountPage } from "./pages/account.tsx";
import { ActivityPage } from "./pages/activity.tsx";
import { CardsPage } from "./pages/cards.tsx";
import { ChargesPage } from "./pages/charges.tsx";
import { ConfirmPage } from "./pages/confirm.tsx";
import { FilesPage } from "./pages/files.tsx";
import { HomePage } from "./pages/home.tsx";
import { NotFoundPage } from "./pages/not-found.tsx";
import { SecurityPage } from "./pages/security.tsx";
import { SignInPage } from "./pages/sign-in.tsx";
import { SignUpPage } from "./pages/sign-up.tsx";
import { Waiting } from "./parts/pages.tsx";
import { Shell } from "./parts/shell.tsx";
import { moves, route } from "./router.ts";
import type { PageName } from "./routes.ts";
import { useValv } from "./valv.ts";

const pages: Readonly<Record<PageName, ComponentType>> = {
  home: HomePage,
  signUp: SignUpPage,
  signIn: SignInPage,
  confirm: ConfirmPage,
  files: FilesPage,
  cards: CardsPage,
  charges: ChargesPage,
  activity: ActivityPage,
  account: AccountPage,
  security: SecurityPage,
};

/** The client. */
export function App() {
  return (
    <Shell>
      <Current />
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
  if (state === "asking" && here.page !== "security" && here.page !== "confirm") return <Waiting />;
  if (here.access === "signed-in" && state === "out") return <SignInPage />;
  if (here.page === "signIn" && state === "in") return <HomePage />;
  return <Shown key={`${here.page} ${moves.value}`} />;
}
