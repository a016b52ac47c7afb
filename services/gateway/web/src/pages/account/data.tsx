/** Owns the page on which a person takes their data along, or ends their account. */
import { t } from "../../language.ts";
import { ExportSection } from "./export.tsx";
import { AccountFrame } from "./frame.tsx";

/** The page. */
export function AccountDataPage() {
  return (
    <AccountFrame title={t("account.data")} lead={t("data.lead")}>
      <ExportSection />
    </AccountFrame>
  );
}
