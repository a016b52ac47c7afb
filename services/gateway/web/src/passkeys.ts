/**
 * Owns asking the browser for passkeys (WebAuthn level 3): making one, and
 * signing with one. Options and answers pass through as JSON, which the browser
 * itself reads and writes. Must never look into either.
 */

/** Why there is no passkey: the browser has none to offer, the person stopped, or the device has one here already. */
export type PasskeyTrouble = "unsupported" | "stopped" | "known" | "failed";

/** The browser gave no passkey. */
export class PasskeyError extends Error {
  override readonly name = "PasskeyError";

  constructor(readonly trouble: PasskeyTrouble) {
    super(trouble);
  }
}

/** The browser knows passkeys, and their JSON. */
export function passkeysWork(): boolean {
  return typeof PublicKeyCredential === "function" && "parseRequestOptionsFromJSON" in PublicKeyCredential;
}

/** Makes a passkey. Throws PasskeyError. */
export function makePasskey(optionsJson: string): Promise<string> {
  return credential(() =>
    navigator.credentials.create({
      publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(JSON.parse(optionsJson)),
    }),
  );
}

/** Signs with a passkey. Throws PasskeyError. */
export function usePasskey(optionsJson: string): Promise<string> {
  return credential(() => navigator.credentials.get({ publicKey: requested(optionsJson) }));
}

/** The browser can offer passkeys where it offers names to fill in. */
export async function passkeysAreOffered(): Promise<boolean> {
  return passkeysWork() && (await PublicKeyCredential.isConditionalMediationAvailable?.()) === true;
}

/** Signs with the passkey that the person picks among the names to fill in, if ever. Throws PasskeyError. */
export function offerPasskey(optionsJson: string, signal: AbortSignal): Promise<string> {
  const publicKey = requested(optionsJson);
  return credential(() => navigator.credentials.get({ publicKey, mediation: "conditional", signal }));
}

const requested = (optionsJson: string) => PublicKeyCredential.parseRequestOptionsFromJSON(JSON.parse(optionsJson));

async function credential(ask: () => Promise<Credential | null>): Promise<string> {
  if (!passkeysWork()) throw new PasskeyError("unsupported");
  try {
    const given = await ask();
    if (given instanceof PublicKeyCredential) return JSON.stringify(given.toJSON());
  } catch (error) {
    throw new PasskeyError(troubleOf(error));
  }
  throw new PasskeyError("failed");
}

/** The browser says little on purpose: a refusal, a time-out and "no passkey here" look the same. */
function troubleOf(error: unknown): PasskeyTrouble {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "AbortError") return "stopped";
  return name === "InvalidStateError" ? "known" : "failed";
}
