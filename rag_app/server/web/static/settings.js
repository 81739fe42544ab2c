// The settings panel: which reader answers. A typed key goes to the server with Try it and Use it, and nowhere else; the
// server never sends one back.
(() => {
  "use strict";
  const { post, read, element, base } = window.grow;
  const markup = () => `
    <form method="dialog" id="settings-form" autocomplete="off">
      <header><h2 id="settings-title">${say("settings.title")}</h2><button type="button" class="icon close-settings" aria-label="${say("page.close")}" title="${say("page.close")}">✕</button></header>
      <label class="language">${say("settings.language")}<select name="language">
        <option value="auto">${say("settings.language-auto")}</option><option value="en" lang="en">English</option><option value="zh" lang="zh-CN">中文</option>
      </select></label>
      <h3>${say("settings.reader")}</h3>
      <p class="now" role="status"></p>
      <fieldset id="reader-choice"><legend>${say("settings.reader")}</legend></fieldset>
      <div class="fields">
        <label data-field="base_url">${say("settings.address")}<input name="base_url" type="url" maxlength="2000" spellcheck="false" autocomplete="off"></label>
        <label data-field="model">${say("settings.model")}<input name="model" maxlength="2000" list="model-list" spellcheck="false" autocomplete="off"></label>
        <datalist id="model-list"></datalist>
        <label data-field="key">${say("settings.key")}<input name="key" type="password" maxlength="2000" autocomplete="new-password"><span class="hint"></span></label>
        <label class="tick" hidden><input name="keep" type="checkbox"><span></span></label>
      </div>
      <div class="settle"><p id="settings-said" role="status" aria-live="polite"></p>
      <footer>
        <button type="button" class="text-button forget-settings" hidden>${say("settings.forget")}</button>
        <span class="gap"></span>
        <button type="button" class="text-button try-settings">${say("settings.try")}</button>
        <button type="submit" class="text-button strong use-settings">${say("settings.use")}</button>
      </footer></div>
    </form>`;
  const PLACEHOLDERS = { own: "http://127.0.0.1:8080/v1" };
  let box = null;
  let state = null;
  let waiting = false;
  let asked = 0; // a result that comes after the panel was closed or another try begun is not shown

  const find = (selector) => box.querySelector(selector);
  const field = (name) => find(`[name=${name}]`);
  const chosen = () => (find("[name=reader]:checked") || {}).value || "none";

  function make() {
    box = element("dialog");
    box.id = "settings";
    box.setAttribute("aria-labelledby", "settings-title");
    box.innerHTML = markup(); // ours, and the same for everybody
    document.body.append(box);
    box.addEventListener("keydown", (event) => { if (event.key === "Escape") event.stopPropagation(); });
    box.addEventListener("close", () => { field("key").value = ""; asked += 1; wait(false); insist(false); });
    find("form").addEventListener("submit", (event) => { event.preventDefault(); send("use"); });
    find(".close-settings").addEventListener("click", () => box.close());
    find(".try-settings").addEventListener("click", () => send("try"));
    find(".forget-settings").addEventListener("click", () => send("forget"));
    find("#reader-choice").addEventListener("change", () => { choose(false); tell(""); insist(false); });
    find(".fields").addEventListener("input", () => insist(false));
    field("base_url").addEventListener("input", hint);
    field("language").value = (document.cookie.match(/(?:^|; )rag_app_language=(auto|en|zh)/) || [])[1] || "auto";
    field("language").addEventListener("change", (event) => speak(event.target.value));
  }

  // A choice of this browser alone; the conversation comes back after the reload.
  function speak(language) {
    document.cookie = `rag_app_language=${language}; path=${new URL(base).pathname}; max-age=31536000; samesite=strict`;
    location.reload();
  }

  async function open() {
    if (!box) make();
    tell("");
    if (!box.open) box.showModal();
    try {
      draw(await read(await fetch(base + "settings/state")));
    } catch { tell(say("page.gone"), "bad"); }
  }

  function draw(said) {
    state = said;
    const now = find(".now");
    now.textContent = said.answering ? say("settings.now", { name: said.answering }) : say("settings.now-none");
    if (said.problem) now.textContent = said.problem;
    now.classList.toggle("bad", Boolean(said.problem));
    const list = find("#reader-choice");
    list.querySelectorAll("label").forEach((old) => old.remove());
    for (const reader of said.readers) {
      const label = element("label", "reader-card");
      const pick = element("input");
      Object.assign(pick, { type: "radio", name: "reader", value: reader.name, checked: reader.name === said.chosen });
      const words = element("span");
      words.append(element("b", "", reader.title), element("span", "about", reader.about));
      if (reader.key) words.append(element("span", "key-there", say("settings.key-there", { where: reader.key })));
      label.append(pick, words);
      list.append(label);
    }
    find(".forget-settings").hidden = !said.kept;
    find(".tick span").textContent = say("settings.keep", { file: said.file });
    field("keep").checked = find(".tick").hidden = false;
    choose(true);
  }

  // The fields that belong to the reader that is ticked; `begun`: filled with what is in use.
  function choose(begun) {
    const name = chosen();
    const reader = state.readers.find((one) => one.name === name) || {};
    const asks = name === "own" || Boolean(reader.base_url);
    const shows = { base_url: asks, model: asks || name === "local", key: name === "own" || Boolean(reader.variable) || name === "ollama" };
    for (const [one, on] of Object.entries(shows)) find(`[data-field=${one}]`).hidden = !on;
    const mine = begun || name === state.chosen;
    field("base_url").value = mine ? state.base_url : "";
    field("model").value = mine ? state.model : "";
    field("key").value = "";
    field("base_url").placeholder = reader.base_url || PLACEHOLDERS[name] || "";
    field("model").placeholder = name === "local" ? say("settings.path-hint") : reader.model || say("settings.model-hint");
    find("#model-list").replaceChildren();
    hint();
  }

  function hint() {
    const name = chosen();
    const reader = state.readers.find((one) => one.name === name) || {};
    const same = name === state.chosen && field("base_url").value.trim() === state.base_url;
    const there = same ? state.key : field("base_url").value.trim() ? "" : reader.key;
    find("[data-field=key] .hint").textContent = there
      ? say("settings.key-is", { where: there })
      : name === "own" || name === "ollama" ? say("settings.key-if") : say("settings.key-from", { name: reader.title || say("settings.provider") });
    field("key").placeholder = there ? `••••••••  ${say("settings.key-set")}` : "";
  }

  function tell(text, kind) {
    const note = find("#settings-said");
    note.textContent = text;
    note.className = kind || "";
  }

  // What was tried in vain can be used all the same, for instance a server that is started later.
  function insist(on) {
    const use = find(".use-settings");
    use.classList.toggle("anyway", on);
    use.textContent = on ? say("settings.anyway") : say("settings.use");
  }

  function wait(on) {
    waiting = on;
    for (const name of [".try-settings", ".use-settings", ".forget-settings"]) find(name).disabled = on;
  }

  async function send(what) {
    if (waiting) return;
    const request = ++asked;
    const value = { name: chosen(), keep: field("keep").checked, anyway: find(".use-settings").classList.contains("anyway") };
    insist(false);
    for (const name of ["base_url", "model", "key"]) value[name] = find(`[data-field=${name}]`).hidden ? "" : field(name).value;
    wait(true);
    tell(what === "forget" ? "" : say("settings.trying"), "waiting");
    try {
      const said = await post(`settings/${what}`, value);
      if (request !== asked) return;
      if (said.works && what !== "try") draw(said.state);
      tell(said.message, said.works ? "good" : "bad");
      insist(said.anyway === true);
      if (said.models) find("#model-list").replaceChildren(...said.models.map((name) => { const one = element("option"); one.value = name; return one; }));
    } catch (error) {
      if (request === asked) tell(error.message, "bad");
    } finally {
      if (request === asked) wait(false);
    }
  }

  document.addEventListener("click", (event) => {
    const pressed = event.target.closest && event.target.closest("button");
    if (pressed && pressed.matches(".open-settings")) open();
  });
})();
