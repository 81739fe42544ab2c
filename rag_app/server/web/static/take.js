// The whole conversation as one file: every answer with its footnotes, BibTeX, tables and evidence.
(() => {
  "use strict";
  const root = new URL((window.gradio_config && window.gradio_config.root) || "./", document.baseURI).pathname;
  const base = new URL(root.replace(/\/?$/, "/") + "reading/conversation/", location.origin).href;

  async function take(button) {
    const before = button.textContent;
    let said = say("page.take-gone");
    button.disabled = true;
    try {
      const id = window.talk ? window.talk.kept() : "";
      const response = await fetch(base + encodeURIComponent(id || "none"));
      if (response.status === 204) said = say("page.take-nothing");
      else if (!response.ok) said = say("page.take-failed");
      else {
        const link = document.createElement("a");
        link.href = URL.createObjectURL(await response.blob());
        link.download = (response.headers.get("content-disposition") || "").split('"')[1] || "conversation.zip";
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 60000);
        said = say("page.taken");
      }
    } catch { /* said */ }
    button.textContent = said;
    const spoken = document.getElementById("spoken");
    if (spoken) spoken.textContent = said;
    setTimeout(() => { button.textContent = before; button.disabled = false; }, 2500);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest(".take-conversation");
    if (button) take(button);
  });
})();
