// A text is pasted, and each quote in it is looked for in the papers: an answer of another program, or one's own draft.
(() => {
  "use strict";
  const element = (...of) => window.grow.element(...of);

  function row(one, close) {
    const made = element("li", one.holds ? "holds" : "fails");
    made.append(element("span", "state", `${one.holds ? "✓" : "!"} ${one.words}`), element("span", "quote", one.quote));
    for (const place of one.places) {
      const button = element("button", "text-button", `${place.title}, ${say("answer.page", { page: place.page })}`);
      button.addEventListener("click", () => { close(); window.reader.showWords(place.paper, place.page, place.words); });
      made.append(button);
    }
    return made;
  }

  function open(text, opener) {
    const dialog = element("dialog", "asking check-quotes"), form = element("form"), box = element("textarea");
    const head = element("h2", "", say("quotes.title")), sum = element("p", "sum"), list = element("ol");
    head.id = "quotes-title";
    dialog.setAttribute("aria-labelledby", head.id);
    box.value = text;
    box.rows = 7;
    box.maxLength = 200000;
    box.placeholder = say("quotes.hint");
    box.setAttribute("aria-label", say("quotes.text"));
    sum.setAttribute("role", "status");
    const buttons = element("div", "dialog-buttons"), away = element("button", "text-button", say("page.close"));
    const check = element("button", "text-button strong", say("quotes.check"));
    check.type = "submit";
    away.addEventListener("click", () => dialog.close());
    buttons.append(away, check);
    form.append(box, buttons);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      check.disabled = true;
      sum.textContent = say("quotes.checking");
      try {
        const said = await window.grow.post("reading/quotes", { text: box.value });
        sum.textContent = said.quotes.length ? say("quotes.sum", { n: said.hold, all: said.quotes.length }) : say("quotes.none");
        list.replaceChildren(...said.quotes.map((one) => row(one, () => dialog.close())));
      } catch (error) { sum.textContent = error.message; }
      check.disabled = false;
    });
    dialog.append(head, element("p", "about", say("quotes.about")), form, sum, list);
    dialog.addEventListener("close", () => { dialog.remove(); if (opener && opener.isConnected) opener.focus(); });
    document.body.append(dialog);
    dialog.showModal();
    if (text) check.click();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest(".check-text");
    if (button) open(button.dataset.note ? document.getElementById("note-text").value : "", button);
  });
})();
