/**
 * Owns the words for where somebody was: the coarse codes of devices and
 * places that the services keep. Must never guess more than a code says.
 */
import { t } from "./language.ts";

/** Names that are not written with one capital at their beginning. */
const NAMES: Readonly<Record<string, string>> = {
  ios: "iOS",
  macos: "macOS",
  chromeos: "ChromeOS",
  curl: "curl",
  wget: "wget",
  grpc: "gRPC",
};

const capital = (word: string) => word.charAt(0).toUpperCase() + word.slice(1);

/** Returns a device class as people say it: "firefox/linux" is "Firefox, Linux". */
export function deviceName(code: string | undefined): string {
  if (!code || code === "other") return t("origin.otherDevice");
  return code
    .split("/")
    .map((part) => NAMES[part] ?? capital(part))
    .join(", ");
}

/** Returns a coarse place as people say it: a network, as near as Valv looks. */
export function placeName(code: string | undefined): string {
  if (!code) return t("origin.unknownPlace");
  if (code === "this-machine") return t("origin.thisMachine");
  if (code === "private-network") return t("origin.privateNetwork");
  return t("origin.network", { network: code });
}
