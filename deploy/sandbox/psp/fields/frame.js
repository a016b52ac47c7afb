// Inside the gateway's frame: takes the card and sends it to the gateway, on this origin. Nothing about the card goes
// to the page around it, into storage or to the console.
"use strict";
(() => {
  const PROTOCOL = "valv-sandbox-cards/1";
  const form = document.querySelector("form");
  const { key, parent } = form.dataset;
  const texts = JSON.parse(form.dataset.errors);
  const alert = document.querySelector("[role=alert]");
  const field = (name) => form.elements.namedItem(name);
  const culprits = {
    incorrect_number: "number",
    card_declined: "number",
    invalid_expiry_month: "expiry",
    invalid_expiry_year: "expiry",
    expired_card: "expiry",
    invalid_cvc: "cvc",
    incorrect_cvc: "cvc",
  };

  function tell(message) {
    window.parent.postMessage({ protocol: PROTOCOL, ...message }, parent);
  }

  function refuse(code) {
    const message = texts[code] ?? texts.other;
    const culprit = culprits[code];
    alert.textContent = message;
    if (culprit) {
      field(culprit).setAttribute("aria-invalid", "true");
      field(culprit).focus();
    }
    return { error: { code, message } };
  }

  function entered() {
    const [month = "", year = ""] = field("expiry").value.split("/").map((part) => part.trim());
    const card = { number: field("number").value.replace(/\s/g, ""), exp_month: month, exp_year: year };
    return Object.entries({ ...card, cvc: field("cvc").value.trim() });
  }

  async function confirm(clientSecret) {
    alert.textContent = "";
    for (const input of form.elements) input.removeAttribute("aria-invalid");
    const body = new URLSearchParams({ client_secret: clientSecret, "payment_method_data[type]": "card" });
    for (const [name, value] of entered()) body.set(`payment_method_data[card][${name}]`, value);
    const setup = String(clientSecret).split("_secret_")[0];
    const missing = { number: "incorrect_number", exp_month: "invalid_expiry_month", exp_year: "invalid_expiry_year" };
    const empty = entered().find(([, value]) => value === "");
    if (empty) return refuse(missing[empty[0]] ?? "invalid_cvc");
    try {
      const headers = { Authorization: `Bearer ${key}` };
      const url = `/v1/setup_intents/${encodeURIComponent(setup)}/confirm`;
      const response = await fetch(url, { method: "POST", headers, body, credentials: "omit", referrerPolicy: "no-referrer" });
      const answer = await response.json();
      if (!response.ok) return refuse(answer.error.code ?? "other");
      form.reset();
      return { setupIntent: { id: answer.id, status: answer.status } };
    } catch {
      return refuse("connection");
    }
  }

  window.addEventListener("message", async (event) => {
    const ask = event.data;
    if (event.source !== window.parent || event.origin !== parent) return;
    if (ask?.protocol !== PROTOCOL || ask.type !== "confirm") return;
    tell({ type: "answer", id: ask.id, ...(await confirm(ask.clientSecret)) });
  });

  field("number").addEventListener("input", (event) => {
    const digits = event.target.value.replace(/\D/g, "").slice(0, 19);
    event.target.value = digits.replace(/(.{4})(?=.)/g, "$1 ");
  });
  field("expiry").addEventListener("input", (event) => {
    const digits = event.target.value.replace(/\D/g, "").slice(0, 4);
    event.target.value = digits.length > 2 ? `${digits.slice(0, 2)} / ${digits.slice(2)}` : digits;
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  new ResizeObserver(() => tell({ type: "height", height: document.documentElement.scrollHeight })).observe(form);
})();
