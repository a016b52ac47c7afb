/** Owns what is shown for an address that is nobody's. */
import { t } from "../language.ts";
import { Page } from "../parts/page.tsx";

/** There is no such page. */
export function NotFoundPage() {
  return (
    <Page title={t("notFound.title")} lead={t("notFound.lead")} narrow>
      <p>
        <a class="button" href="/">
          {t("notFound.home")}
        </a>
      </p>
    </Page>
  );
}
