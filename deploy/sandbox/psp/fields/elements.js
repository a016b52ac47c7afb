// The sandbox gateway's card fields, for a page: mounts a frame from the gateway's own origin and asks it to confirm a
// SetupIntent. The page never sees a card number: the frame sends it to the gateway itself.
//
//   const cards = ValvSandboxCards(publishableKey, { locale: "sv" });
//   const field = cards.mount(element);
//   const { setupIntent, error } = await field.confirm(clientSecret);
"use strict";
(() => {
  const PROTOCOL = "valv-sandbox-cards/1";
  const ANSWER_MILLISECONDS = 30000;
  const origin = new URL(document.currentScript.src).origin;

  function mount(publishableKey, options, element) {
    const frame = document.createElement("iframe");
    const locale = options.locale ?? document.documentElement.lang ?? "en";
    const query = new URLSearchParams({ key: publishableKey, locale, parent: window.location.origin });
    const waiting = new Map();
    let next = 1;

    frame.src = `${origin}/v1/fields?${query}`;
    frame.title = locale.startsWith("sv") ? "Kortuppgifter" : "Card details";
    frame.style.border = "0";
    frame.style.width = "100%";
    frame.style.height = "13rem";
    frame.setAttribute("allow", "payment 'none'");

    function receive(event) {
      const answer = event.data;
      if (event.source !== frame.contentWindow || event.origin !== origin || answer?.protocol !== PROTOCOL) return;
      if (answer.type === "height") frame.style.height = `${Math.min(Number(answer.height) || 0, 600)}px`;
      if (answer.type === "answer") {
        waiting.get(answer.id)?.(answer.error ? { error: answer.error } : { setupIntent: answer.setupIntent });
        waiting.delete(answer.id);
      }
    }

    function confirm(clientSecret) {
      const id = next++;
      return new Promise((resolve) => {
        const timeout = { code: "timeout", message: "The payment gateway did not answer." };
        const timer = setTimeout(() => resolve({ error: timeout }), ANSWER_MILLISECONDS);
        waiting.set(id, (answer) => (clearTimeout(timer), resolve(answer)));
        frame.contentWindow.postMessage({ protocol: PROTOCOL, type: "confirm", id, clientSecret }, origin);
      });
    }

    function unmount() {
      window.removeEventListener("message", receive);
      frame.remove();
    }

    window.addEventListener("message", receive);
    element.replaceChildren(frame);
    const ready = new Promise((resolve) => frame.addEventListener("load", resolve, { once: true }));
    return { ready, unmount, confirm: (clientSecret) => ready.then(() => confirm(clientSecret)) };
  }

  globalThis.ValvSandboxCards = (publishableKey, options = {}) => ({
    mount: (element) => mount(publishableKey, options, element),
  });
})();
