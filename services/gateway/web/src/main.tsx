/**
 * The composition root: the only module that builds the API, the session and
 * the page. Must never hold behaviour of its own.
 */
import { render } from "preact";
import { Api } from "./api.ts";
import { App } from "./app.tsx";
import { hearOtherTabs, maybeSignedIn, surroundings } from "./browser.ts";
import { language, load } from "./language.ts";
import { Proof } from "./proof.ts";
import { route, startRouter } from "./router.ts";
import { SessionKeeper } from "./session.ts";
import { send } from "./upload.ts";
import { UploadQueue } from "./uploads.ts";
import { ValvProvider } from "./valv.ts";

const api = new Api(fetch.bind(globalThis));
const session = new SessionKeeper(api, surroundings);
const proof = new Proof();
const uploads = new UploadQueue(api, send, session);

api.provedBy(() => proof.ask());
startRouter();
hearOtherTabs((news) => {
  if (!session.hear(news)) location.reload();
});
document.addEventListener("visibilitychange", () => session.tick());
addEventListener("pageshow", (event) => {
  if (event.persisted) session.tick();
});

addEventListener("beforeunload", (event) => {
  // Leaving the document would cut off what is being sent: let the browser ask.
  if (uploads.active.value) event.preventDefault();
});

if (maybeSignedIn() || route.value?.access === "signed-in") void session.refresh();
else session.assumeNobody();

await load(language.value);
const root = document.getElementById("valv");
if (root) {
  render(
    <ValvProvider value={{ api, session, proof, uploads }}>
      <App />
    </ValvProvider>,
    root,
  );
}
