// Passkeys: asks the browser for one and puts what it made into the form. Without this file, or in a browser that
// knows none, forms marked `hidden` stay hidden, and passwords and codes work as ever.
"use strict";
(() => {
  const known = window.PublicKeyCredential && PublicKeyCredential.parseRequestOptionsFromJSON;
  if (!known) return;

  const optionsOf = async form => {
    const stored = document.getElementById("passkey-options");
    if (!form.dataset.options) return JSON.parse(stored.textContent);
    const answer = await fetch(form.dataset.options, { headers: { Accept: "application/json" } });
    return answer.json();
  };

  const use = async form => {
    const { request_options: options } = await optionsOf(form);
    return navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options.publicKey) });
  };

  const make = async form => {
    const { creation_options: options } = await optionsOf(form);
    // A passkey is found without a name typed first, and asks for a finger, a face or a PIN.
    options.publicKey.authenticatorSelection = {
      ...options.publicKey.authenticatorSelection,
      residentKey: "required", requireResidentKey: true, userVerification: "required",
    };
    return navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options.publicKey) });
  };

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = false;
    const says = form.querySelector("[data-passkey-says]");
    form.addEventListener("submit", async event => {
      event.preventDefault();
      says.hidden = true;
      try {
        const made = await (form.dataset.passkey === "make" ? make(form) : use(form));
        form.elements.credential.value = JSON.stringify(made);
        form.submit();
      } catch {
        says.hidden = false;
      }
    });
  }
})();
