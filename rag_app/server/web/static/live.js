// An answer that stands still on the screen while the server goes on with it: the stream was cut on the way, and nobody
// said so. The hidden button #resume takes it up again. (A lost connection that is noticed reloads the page by itself.)
// And what was typed and not yet asked outlives a reload, and what was asked outlives the program that was to answer it.
(() => {
  "use strict";
  const PATIENCE = 8000; // milliseconds without a change; a slow model is taken up again in vain, which shows nothing
  let seen = "", since = Date.now();

  const DRAFT = "draft", PENDING = "pending"; // in the tab's own storage
  let restored = false;

  function keepDraft() {
    const box = document.querySelector("#question textarea");
    if (!box || !document.querySelector("#history-rows ul.conversations")) return; // the server has not said yet what is kept
    const asked = Array.from(document.querySelectorAll("#chat p.question"), (one) => one.innerText.trim());
    try {
      const draft = sessionStorage.getItem(DRAFT) || "", pending = sessionStorage.getItem(PENDING) || "";
      const lost = pending && !asked.includes(pending) ? pending : "";
      if (!restored && !box.value && (draft || lost)) window.talk.fill(draft || lost);
      restored = true;
      const coming = document.querySelector("#chat .answer.coming") ? asked[asked.length - 1] || "" : "";
      if (coming !== pending) sessionStorage.setItem(PENDING, coming);
      if (box.value !== draft) sessionStorage.setItem(DRAFT, box.value);
    } catch { /* storage is switched off */ }
  }

  // The ring before what is being done. As an animation of CSS it would draw the page sixty times a second.
  const STILL = matchMedia("(prefers-reduced-motion: reduce)");
  setInterval(() => {
    if (document.hidden || STILL.matches) return;
    document.querySelectorAll("#chat .doing").forEach((one) => one.style.setProperty("--turn", `${(Date.now() / 1000) % 1}turn`));
  }, 200);

  // -- news: asked for often while something goes on or somebody works here, else seldom --------------------------
  const SOON = 1500, SELDOM = 8000, WORKING = 12000; // milliseconds
  let looked = 0, used = Date.now(), state = "", run = "", busy = false, looking = false;
  for (const kind of ["pointerdown", "keydown", "drop"]) document.addEventListener(kind, () => { used = Date.now(); }, true);

  const config = () => window.gradio_config || {};
  const address = (path) => new URL(path, new URL((config().root || "./").replace(/\/?$/, "/"), document.baseURI));

  async function look() {
    const there = await fetch(address("gradio_api/app_id"));
    if (!there.ok) return;
    const id = (await there.json()).app_id;
    if (config().app_id && id && String(id) !== String(config().app_id)) {
      // The program was started anew between two requests: this tab's stream is dead, and nobody would say so.
      keepDraft();
      location.reload();
    } else {
      document.getElementById("resume").click();
    }
  }

  async function hear() {
    const answer = await fetch(address("reading/news"));
    if (!answer.ok) return;
    const said = await answer.json();
    busy = said.busy;
    if (run && said.run !== run) { keepDraft(); location.reload(); return; } // another program answers now
    run = said.run;
    const button = document.getElementById("news");
    const there = document.querySelector("#history-rows ul.conversations"); // else the tab's own first look comes later
    if (said.state === state || !button || !there) return;
    state = said.state;
    button.click();
  }

  setInterval(async () => {
    keepDraft();
    const coming = document.querySelector("#chat .answer.coming"), time = Date.now();
    const now = coming ? coming.textContent : "";
    if (now !== seen) { seen = now; since = time; }
    const still = coming && time - since >= PATIENCE;
    const pace = busy || time - used < WORKING ? SOON : SELDOM;
    if (document.hidden || looking || (!still && time - looked < pace)) return;
    looked = time;
    if (still) since = time;
    looking = true;
    try {
      if (still) await look(); else await hear();
    } catch { /* still out of reach: looked for again after the same time */ }
    looking = false;
  }, 500);
})();
