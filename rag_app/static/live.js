// An answer that stands still on the screen while the server goes on with it: the stream was cut on the way, and nobody
// said so. The hidden button #resume takes it up again. (A lost connection that is noticed reloads the page by itself.)
// And what was typed and not yet asked outlives a reload.
(() => {
  "use strict";
  const PATIENCE = 8000; // milliseconds without a change; a slow model is taken up again in vain, which shows nothing
  let seen = "", since = Date.now();

  const DRAFT = "draft"; // in the tab's own storage
  let restored = false;

  function keepDraft() {
    const box = document.querySelector("#question textarea");
    if (!box || !window.talk) return;
    try {
      const draft = sessionStorage.getItem(DRAFT) || "";
      if (!restored && draft && !box.value) window.talk.fill(draft);
      restored = true;
      if (box.value !== draft) sessionStorage.setItem(DRAFT, box.value);
    } catch { /* storage is switched off */ }
  }

  setInterval(async () => {
    keepDraft();
    const coming = document.querySelector("#chat .answer.coming");
    const now = coming ? coming.innerHTML : "";
    if (now !== seen) { seen = now; since = Date.now(); }
    if (!coming || document.hidden || Date.now() - since < PATIENCE) return;
    since = Date.now();
    const root = new URL((window.gradio_config && window.gradio_config.root) || "./", document.baseURI).href;
    try {
      const there = await fetch(new URL("gradio_api/app_id", root.replace(/\/?$/, "/")));
      if (there.ok) document.getElementById("resume").click();
    } catch { /* still out of reach: looked for again after the same time */ }
  }, 1000);
})();
