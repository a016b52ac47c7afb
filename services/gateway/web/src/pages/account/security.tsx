/**
 * Owns the page of how the account is signed in to, and where it is. Must
 * never show recovery codes longer than until their owner has put them away.
 */
import { useState } from "preact/hooks";
import { listFactors } from "../../calls.account.ts";
import { t } from "../../language.ts";
import { Problem } from "../../parts/notice.tsx";
import { focusHeading } from "../../parts/page.tsx";
import { Waiting } from "../../parts/pages.tsx";
import { useReading } from "../../parts/reading.ts";
import type { Factors } from "../../types.account.ts";
import { useValv } from "../../valv.ts";
import { AccountFrame } from "./frame.tsx";
import { PasskeysSection } from "./passkeys.tsx";
import { PasswordSection } from "./password.tsx";
import { NewRecoveryCodes, RecoveryCodesSection } from "./recovery-codes.tsx";
import { SessionsSection } from "./sessions.tsx";
import { TotpSection } from "./totp.tsx";

/** What a section of factors is given. */
export interface FactorProps {
  readonly factors: Factors;
  /** Something has changed; new recovery codes may have come with it. */
  readonly onChange: (codes?: readonly string[]) => void;
}

/** Least length of the password that must replace the present one when a factor goes; 0 when it may stay. */
export function passwordWanted(factors: Factors, totpAfter: boolean, passkeysAfter: number): number {
  const second = totpAfter || passkeysAfter > 0;
  if (!second) return 15;
  return !factors.hasPassword && passkeysAfter === 0 ? 8 : 0;
}

/** The page. */
export function AccountSecurityPage() {
  const { api } = useValv();
  const factors = useReading(() => listFactors(api));
  const [codes, setCodes] = useState<readonly string[]>([]);
  const [changes, setChanges] = useState(0);
  const changed = (given: readonly string[] = []) => {
    if (given.length > 0) setCodes(given);
    setChanges(changes + 1);
    void factors.reload();
  };
  const kept = () => {
    setCodes([]);
    focusHeading();
  };
  return (
    <AccountFrame title={t("account.security")} lead={t("accountSecurity.lead")}>
      {codes.length > 0 && <NewRecoveryCodes codes={codes} onKept={kept} />}
      <Problem error={factors.error} retry={() => void factors.reload()} />
      {!factors.value && !factors.error && <Waiting />}
      {factors.value && (
        <>
          <PasswordSection factors={factors.value} onChange={changed} />
          <TotpSection factors={factors.value} onChange={changed} />
          <PasskeysSection factors={factors.value} onChange={changed} />
          <RecoveryCodesSection factors={factors.value} onChange={changed} />
        </>
      )}
      <SessionsSection changes={changes} />
    </AccountFrame>
  );
}
