/**
 * Owns the client's paths: the one table that the router, the navigation and
 * the edge (through `routes.json`) read. Must never import anything, so that
 * the build can read it too.
 */

/** How a page treats the session. */
export type Access = "anyone" | "signed-in";

/** Names of the pages. */
export type PageName =
  | "home"
  | "signUp"
  | "signIn"
  | "confirm"
  | "confirmChange"
  | "recover"
  | "reset"
  | "files"
  | "cards"
  | "charges"
  | "activity"
  | "account"
  | "accountSecurity"
  | "accountLinks"
  | "accountData"
  | "linked"
  | "security";

/** One page: where it is and who sees it. */
export interface Route {
  readonly page: PageName;
  readonly path: string;
  readonly access: Access;
  /**
   * The page lives in a document of its own: it is entered and left by a full
   * load, because its CSP admits the payment gateway's script and no other page's does.
   */
  readonly isolated?: true;
}

/** Every page. */
export const routes: readonly Route[] = [
  { page: "home", path: "/", access: "anyone" },
  { page: "signUp", path: "/sign-up", access: "anyone" },
  { page: "signIn", path: "/sign-in", access: "anyone" },
  { page: "confirm", path: "/confirm", access: "anyone" },
  { page: "confirmChange", path: "/confirm-change", access: "signed-in" },
  { page: "recover", path: "/recover", access: "anyone" },
  { page: "reset", path: "/reset", access: "anyone" },
  { page: "files", path: "/files", access: "signed-in" },
  { page: "cards", path: "/cards", access: "signed-in", isolated: true },
  { page: "charges", path: "/charges", access: "signed-in" },
  { page: "activity", path: "/activity", access: "signed-in" },
  { page: "account", path: "/account", access: "signed-in" },
  { page: "accountSecurity", path: "/account/security", access: "signed-in" },
  { page: "accountLinks", path: "/account/links", access: "signed-in" },
  { page: "accountData", path: "/account/data", access: "signed-in" },
  { page: "linked", path: "/links/callback", access: "signed-in" },
  { page: "security", path: "/security", access: "anyone" },
];

/** Every path, for the edge. */
export const paths: readonly string[] = routes.map((route) => route.path);

/** Returns the route of a path, or undefined when there is none. */
export function routeOf(path: string): Route | undefined {
  return routes.find((route) => route.path === path);
}

/** Returns the path of a page. */
export function pathOf(page: PageName): string {
  return routes.find((route) => route.page === page)?.path ?? "/";
}
