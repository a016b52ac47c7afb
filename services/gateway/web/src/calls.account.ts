/**
 * Owns the addresses of auth's API: signing in and up, what an account is
 * signed in with, its sessions and its address. Must never hold state.
 */
import type { Api } from "./api.ts";
import type {
  Erasure,
  Factors,
  FirstProof,
  OwnSession,
  SecondProof,
  SecondStep,
  Session,
  SignInAnswer,
  TotpSetup,
} from "./types.account.ts";

const part = encodeURIComponent;

/** Signs up; the answer is the same for every address. */
export const signUp = (api: Api, email: string, password: string, locale: string) =>
  api.call("POST", "/v1/account:signUp", { anonymous: true, body: { email, password, locale } });

/** Confirms an address with the token from the mail. */
export const confirmEmail = (api: Api, token: string) =>
  api.call("POST", "/v1/account:confirmEmail", { anonymous: true, body: { token } });

/** Signs in; the token goes into a cookie that no page can read. */
export const signIn = (api: Api, email: string, password: string) =>
  api.call<SignInAnswer>("POST", "/v1/session:signIn", { anonymous: true, body: { email, password } });

/** Begins a sign-in with a passkey alone. */
export const beginPasskeySignIn = (api: Api) =>
  api.call<{ next: SecondStep }>("POST", "/v1/session:beginPasskey", { anonymous: true, body: {} });

/** Answers a second step. */
export const continueSignIn = (api: Api, challenge: string, proof: SecondProof) =>
  api.call<SignInAnswer>("POST", "/v1/session:continueSignIn", { anonymous: true, body: { challenge, ...proof } });

/** Proves again who one is; the session that comes back takes the place of the present one. */
export const reauthenticate = (api: Api, proof: FirstProof) =>
  api.call<SignInAnswer>("POST", "/v1/session:reauthenticate", { passive: true, body: proof });

/** Ends the session, here and in every service. */
export const signOut = (api: Api) => api.call("POST", "/v1/session:signOut", { passive: true, body: {} });

/** Tells who is signed in. Not activity; a 401 is the answer "nobody". */
export const getSession = (api: Api) =>
  api.call<{ session: Session }>("GET", "/v1/session", { anonymous: true, passive: true });

/** Stays signed in. Its answer tells the new end, so nothing needs to be asked after it. */
export const extendSession = (api: Api) =>
  api.call<{ session: Session }>("POST", "/v1/session:extend", { passive: true, body: {} });

/** Asks for a mail with a link to choose a new password; the answer is the same for every address. */
export const recover = (api: Api, email: string) =>
  api.call("POST", "/v1/account:recover", { anonymous: true, body: { email } });

/** Sets a new password with the token from the mail. */
export const resetPassword = (api: Api, token: string, newPassword: string) =>
  api.call("POST", "/v1/account:resetPassword", { anonymous: true, body: { token, newPassword } });

/** Sets a new password. Every session ends; the one that comes back takes the place of the present one. */
export const changePassword = (api: Api, currentPassword: string, newPassword: string) =>
  api.call<SignInAnswer>("POST", "/v1/password:change", { passive: true, body: { currentPassword, newPassword } });

/** Goes over to passkeys alone. */
export const removePassword = (api: Api) => api.call("POST", "/v1/password:remove", { body: {} });

/** Asks for a link to the new address; nothing changes until it is opened. */
export const changeEmail = (api: Api, newEmail: string) => api.call("POST", "/v1/email:change", { body: { newEmail } });

/** Takes the new address, with the token from the mail to it. */
export const confirmEmailChange = (api: Api, token: string) =>
  api.call("POST", "/v1/email:confirmChange", { body: { token } });

/** Chooses the language of mails. */
export const setLocale = (api: Api, locale: string) => api.call("POST", "/v1/account:setLocale", { body: { locale } });

/** Lists what the account is signed in with. */
export const listFactors = (api: Api) => api.call<Factors>("GET", "/v1/factors");

/** Makes a TOTP secret, which counts once a code of it has been given. */
export const beginTotp = (api: Api) => api.call<TotpSetup>("POST", "/v1/factors/totp:begin", { body: {} });

/** Turns TOTP on with the first code. The recovery codes come this once. */
export const confirmTotp = async (api: Api, code: string) =>
  (await api.call<{ recoveryCodes?: readonly string[] }>("POST", "/v1/factors/totp:confirm", { body: { code } }))
    .recoveryCodes ?? [];

/** Turns TOTP off. The last second factor takes a longer password with it. */
export const removeTotp = (api: Api, newPassword?: string) =>
  api.call("POST", "/v1/factors/totp:remove", { body: newPassword ? { newPassword } : {} });

/** Begins to add a passkey; what comes back is for the browser. */
export const beginPasskey = async (api: Api) =>
  (await api.call<{ optionsJson: string }>("POST", "/v1/factors/passkeys:begin", { body: {} })).optionsJson;

/** Keeps a passkey that the browser made. Recovery codes come with the first second factor. */
export const confirmPasskey = async (api: Api, credentialJson: string, displayName: string) =>
  (
    await api.call<{ recoveryCodes?: readonly string[] }>("POST", "/v1/factors/passkeys:confirm", {
      body: { credentialJson, displayName },
    })
  ).recoveryCodes ?? [];

/** Names a passkey. */
export const renamePasskey = (api: Api, passkey: string, displayName: string) =>
  api.call("POST", `/v1/factors/passkeys/${part(passkey)}:rename`, { body: { displayName } });

/** Removes a passkey. The last second factor takes a longer password with it. */
export const removePasskey = (api: Api, passkey: string, newPassword?: string) =>
  api.call("POST", `/v1/factors/passkeys/${part(passkey)}:remove`, { body: newPassword ? { newPassword } : {} });

/** Makes new recovery codes, which come this once; the old ones are void. */
export const generateRecoveryCodes = async (api: Api) =>
  (await api.call<{ recoveryCodes: readonly string[] }>("POST", "/v1/factors/recoveryCodes:generate", { body: {} }))
    .recoveryCodes;

/** Lists the account's live sessions. */
export const listSessions = async (api: Api) =>
  (await api.call<{ sessions?: readonly OwnSession[] }>("GET", "/v1/sessions")).sessions ?? [];

/** Ends one session. */
export const endSession = (api: Api, session: string) =>
  api.call("POST", `/v1/sessions/${part(session)}:end`, { body: {} });

/** Ends every session but this one. */
export const endOtherSessions = (api: Api) => api.call("POST", "/v1/sessions:endOthers", { body: {} });

/** Ends every session, this one too. */
export const endAllSessions = (api: Api) => api.call("POST", "/v1/sessions:endAll", { body: {} });

/** Tells whether an erasure was asked for. */
export const getErasure = (api: Api) => api.call<{ erasure?: Erasure }>("GET", "/v1/account/erasure");

/** Asks for the erasure of the account and all that is in it. */
export const requestErasure = (api: Api) => api.call("POST", "/v1/account:erase", { body: {} });

/** Takes it back. */
export const cancelErasure = (api: Api) => api.call("POST", "/v1/account:cancelErasure", { body: {} });
