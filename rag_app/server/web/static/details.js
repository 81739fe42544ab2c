// The form in which a paper's details are corrected and tags are given.
(() => {
  "use strict";
  const FIELDS = [
    ["title", "library.field-title"], ["authors", "library.field-authors"], ["year", "library.field-year"],
    ["venue", "library.field-venue"], ["topic", "library.field-topic"], ["tags", "library.field-tags"],
  ];
  const element = (...of) => window.grow.element(...of);
  const address = (name) => `${window.reader.base}details/${name}`;

  function field(name, label, said) {
    const box = element(name === "authors" ? "textarea" : "input"), whole = element("label", "", say(label));
    box.name = name;
    box.value = name === "authors" ? said.now.authors.join("\n") : name === "tags" ? said.now.tags.join(", ") : said.now[name] ?? "";
    if (name === "authors") box.rows = Math.min(6, Math.max(2, said.now.authors.length));
    if (name === "year") box.inputMode = "numeric";
    if (said.own.includes(name) && name !== "tags") whole.append(" ", element("span", "corrected", say("library.corrected")));
    whole.append(box);
    return whole;
  }

  // A press adds a tag that other papers have.
  function offered(form, tags) {
    const row = element("p", "tags");
    for (const tag of tags) {
      const button = element("button", "tag", tag);
      button.addEventListener("click", () => {
        const box = form.elements.tags, there = split(box.value, /[,，]/);
        if (!there.includes(tag)) box.value = [...there, tag].join(", ");
      });
      row.append(button);
    }
    return row;
  }

  const split = (text, by) => text.split(by).map((one) => one.trim()).filter(Boolean);

  async function open(name, opener) {
    let said;
    try { said = await window.grow.read(await fetch(address(name))); } catch { return; }
    const dialog = element("dialog", "asking paper-details"), form = element("form"), problem = element("p", "problem");
    const head = element("h2", "", say("library.correct-title"));
    head.id = "details-title";
    dialog.setAttribute("aria-labelledby", head.id);
    problem.setAttribute("role", "alert");
    form.append(...FIELDS.map(([one, label]) => field(one, label, said)), offered(form, said.tags), problem);
    const buttons = element("div", "dialog-buttons"), cancel = element("button", "text-button", say("page.cancel"));
    const save = element("button", "text-button strong", say("page.save"));
    save.type = "submit";
    cancel.addEventListener("click", () => dialog.close());
    buttons.append(cancel, save);
    form.append(buttons);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const typed = Object.fromEntries(FIELDS.map(([one]) => [one, form.elements[one].value.trim()]));
      typed.authors = split(typed.authors, "\n");
      typed.tags = split(typed.tags, /[,，]/);
      try {
        const answer = await window.grow.post(`reading/details/${name}`, typed);
        if (answer.problem) problem.textContent = answer.problem; else dialog.close();
      } catch (error) { problem.textContent = error.message; }
    });
    dialog.append(head, element("p", "about", say("library.correct-about")), form);
    dialog.addEventListener("close", () => { dialog.remove(); if (opener && opener.isConnected) opener.focus(); });
    document.body.append(dialog);
    dialog.showModal();
  }

  window.details = { open };
})();
