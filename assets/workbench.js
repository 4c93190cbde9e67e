/* The workbench in the browser. The address is the state; `set` is its one writer.
 *
 * In the app the address's query is the state and Dash is told when it changes. In the static
 * export (`window.WORKBENCH_SITE`) the part after # is, and figures are read from files beside the
 * page. Elements say what they set in data- attributes (see shell.py); this file listens once, on
 * the document, and `sync` writes the state back into the elements.
 */
(function () {
  "use strict";

  const site = window.WORKBENCH_SITE || null;
  const LONG_LIST = 64; // as in probekit_app/state.py
  const NO_UPDATE = () => window.dash_clientside.no_update;
  const ALWAYS = ["run", "vs"];
  const FRAMED = [...ALWAYS, "erasure.document"]; // what the server lays a page out by
  let openedKey = null; // page and runs whose frame is on screen, or has been asked for
  let shownKey = null; // those whose frame is on screen
  let preview = null; // layer under a pointer that has not been let go

  const all = (selector, root) => Array.from((root || document).querySelectorAll(selector));
  const strip = () => document.getElementById("layer");

  // ------------------------------------------------------------------ the address

  function params() {
    return new URLSearchParams(site ? location.hash.slice(1) : location.search);
  }

  function search(query) {
    const text = query.toString().replaceAll("%2C", ",");
    return text ? "?" + text : "";
  }

  /** Go to a page with a query; the page is the present one unless it is said. */
  function go(query, path) {
    const target = (path || location.pathname) + query;
    if (target === location.pathname + location.search) return;
    window.history.pushState({}, "", target);
    askCards(false); // first: the server works while the elements follow
    sync();
    if (frameKey() !== openedKey) tellDash();
  }

  /** Dash asks for the frame of another page or run; of any other change it need not know. */
  function tellDash() {
    // All parts at once: dcc.Location would go back to a part that it knows otherwise.
    const { href, pathname, search: found, hash } = location;
    window.dash_clientside.set_props("url", { href, pathname, search: found, hash });
  }

  /** The one writer: change parts of the state; a part at its default leaves the address. */
  function set(changes) {
    const query = params();
    for (const [key, value] of Object.entries(changes)) {
      if (value === null || value === "" || value === standard(key)) query.delete(key);
      else query.set(key, value);
    }
    if (!site) return go(search(query));
    const hash = query.toString().replaceAll("%2C", ",");
    if (hash === location.hash.slice(1)) return;
    try {
      window.history.replaceState(null, "", "#" + hash);
    } catch (error) {
      location.hash = hash;
    }
    sync();
    drawSite();
  }

  function standard(key) {
    if (key === "layer") return strip() ? strip().dataset.default : null;
    const owner = document.querySelector(`[data-set="${CSS.escape(key)}"]`);
    return owner ? owner.dataset.default : null;
  }

  function value(key) {
    const asked = params().get(key);
    return asked === null ? standard(key) : asked;
  }

  const layer = () => Number(preview === null ? value("layer") : preview);

  // ------------------------------------------------------------------ state → elements

  function sync() {
    syncMenus();
    syncChips();
    syncNumbers();
    syncStrip();
    for (const button of all("button[data-set]")) {
      const on = value(button.dataset.set) === button.dataset.value;
      const tab = button.getAttribute("role") === "tab";
      button.setAttribute(tab ? "aria-selected" : "aria-pressed", String(on));
      if (tab) button.tabIndex = on ? 0 : -1;
    }
    for (const link of all("a[data-page]"))
      link.setAttribute("href", site ? link.dataset.page + location.hash : link.dataset.page + location.search);
    for (const fold of all("details.fold-table[open]")) fillTable(fold);
    for (const card of all('[data-card][data-kind="grid"]')) markRow(card);
    document.dispatchEvent(new CustomEvent("workbench:synced"));
  }

  function syncMenus() {
    for (const menu of all("select[data-set]")) {
      const key = menu.dataset.set;
      const now = params().get(key);
      menu.value = now === null ? (key === "run" || key === "vs" ? menu.dataset.now : menu.dataset.default) : now;
    }
    for (const field of all("textarea[data-set]"))
      if (document.activeElement !== field) field.value = value(field.dataset.set) || "";
  }

  const languages = () => all("[data-language]").map((chip) => chip.dataset.language).filter((c) => c !== "*");

  /** The languages shown, read as probekit_app/state.py reads them: a minus leaves one out. */
  function shownLanguages() {
    const said = (params().get("langs") || "").split(",").filter(Boolean);
    const named = new Set(said.filter((c) => !c.startsWith("-")));
    const without = new Set(said.filter((c) => c.startsWith("-")).map((c) => c.slice(1)));
    const shown = languages().filter((c) => (named.size === 0 || named.has(c)) && !without.has(c));
    return shown.length ? shown : languages();
  }

  /** A list of languages as state.py writes it: none for all, a long one by what it leaves out. */
  function listed(shown) {
    if (shown.length === 0 || shown.length === languages().length) return null;
    const said = shown.join(",");
    const without = languages().filter((c) => !shown.includes(c)).map((c) => "-" + c).join(",");
    return said.length > LONG_LIST && without.length < said.length ? without : said;
  }

  function syncChips() {
    const shown = new Set(shownLanguages());
    const every = shown.size === languages().length;
    for (const chip of all("[data-language]")) {
      const code = chip.dataset.language;
      chip.setAttribute("aria-pressed", String(code === "*" ? every : shown.has(code)));
    }
  }

  function syncNumbers() {
    for (const slider of all(".number[data-set]")) showNumber(slider, Number(value(slider.dataset.set)));
  }

  function showNumber(slider, number) {
    const low = Number(slider.getAttribute("aria-valuemin"));
    const high = Number(slider.getAttribute("aria-valuemax"));
    const text = String(Number(number.toPrecision(6)));
    slider.style.setProperty("--share", (number - low) / (high - low || 1));
    slider.setAttribute("aria-valuenow", text);
    slider.querySelector("output").textContent = text;
  }

  function syncStrip() {
    const bar = strip();
    if (!bar) return;
    const now = layer();
    const low = Number(bar.getAttribute("aria-valuemin"));
    // Every figure over layers has its axis under the strip, so one number places every line. It is
    // given to the lines alone: given to the page, the browser looks at every element of it.
    const share = (now - low + 0.5) / bar.children.length;
    for (const line of all(".layer-line")) line.style.setProperty("--layer-share", share);
    for (const card of all('[data-layer-axes="2"]')) crossLayer(card);
    bar.setAttribute("aria-valuenow", now);
    for (const cell of bar.children) {
      const on = Number(cell.dataset.layer) === now;
      cell.classList.toggle("on", on);
      if (on) bar.setAttribute("aria-valuetext", cell.title);
    }
  }

  // ------------------------------------------------------------------ elements → state

  function onClick(event) {
    const button = event.target.closest("button, a");
    if (!button) return;
    const data = button.dataset;
    if (data.set) set({ [data.set]: data.value });
    else if (data.language) pickLanguage(data.language, event.shiftKey);
    else if (data.themeChoice) chooseTheme(data.themeChoice);
    else if (data.save) save(button.closest("[data-card]"), data.save);
    else if (data.copy) copy(button);
    else if (data.dismiss) button.closest("." + data.dismiss).remove();
    else if (data.stepKey) step(data.stepKey, Number(data.by));
    else if (data.tell) tell(data.tell, data.value);
    else if (button.tagName === "A") follow(event, button);
  }

  /** Tell the server what a button means, by way of a store that a callback listens to. */
  function tell(store, value) {
    window.dash_clientside.set_props(store, { data: { value, at: Date.now() } });
  }

  /** Links inside the workbench change the address without loading it again. */
  function follow(event, link) {
    if (site || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    if (link.dataset.page) {
      event.preventDefault();
      go(location.search, link.dataset.page);
    } else if ("go" in link.dataset) {
      event.preventDefault();
      const target = new URL(link.href);
      go(target.search, target.pathname);
    }
  }

  function pickLanguage(code, only) {
    if (code === "*") return set({ langs: null });
    let shown = shownLanguages();
    if (only) shown = [code];
    else shown = shown.includes(code) ? shown.filter((c) => c !== code) : [...shown, code];
    set({ langs: listed(languages().filter((c) => shown.includes(c))) });
  }

  function step(key, by) {
    const menu = document.querySelector(`select[data-set="${CSS.escape(key)}"]`);
    const next = menu && menu.options[menu.selectedIndex + by];
    if (next) set({ [key]: next.value });
  }

  function onChange(event) {
    const target = event.target;
    if (target.matches && target.matches("select[data-set], textarea[data-set]"))
      set({ [target.dataset.set]: target.value });
  }

  function onKey(event) {
    const target = event.target;
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (target.matches("textarea[data-set]")) {
      if (event.key === "Enter") {
        event.preventDefault();
        set({ [target.dataset.set]: target.value });
      }
      return;
    }
    const tab = target.closest('[role="tab"]');
    if (tab) return moveTab(event, tab);
    const slider = target.closest('[role="slider"]');
    const free = target === document.body || target.id === "page";
    if (slider) moveSlider(event, slider);
    else if (free && strip() && ["ArrowLeft", "ArrowRight"].includes(event.key)) moveSlider(event, strip());
  }

  /** Arrows go round the tabs of a list and choose as they go. */
  function moveTab(event, tab) {
    const tabs = all('[role="tab"]').filter((each) => each.parentElement === tab.parentElement);
    const at = tabs.indexOf(tab);
    const target = {
      ArrowLeft: at - 1, ArrowUp: at - 1, ArrowRight: at + 1, ArrowDown: at + 1,
      Home: 0, End: tabs.length - 1,
    }[event.key];
    if (target === undefined) return;
    event.preventDefault();
    const next = tabs[(target + tabs.length) % tabs.length];
    next.focus();
    set({ [next.dataset.set]: next.dataset.value });
  }

  function moveSlider(event, slider) {
    const low = Number(slider.getAttribute("aria-valuemin"));
    const high = Number(slider.getAttribute("aria-valuemax"));
    const now = Number(slider.getAttribute("aria-valuenow"));
    const by = Number(slider.dataset.step || 1);
    const target = {
      ArrowLeft: now - by, ArrowDown: now - by, ArrowRight: now + by, ArrowUp: now + by,
      PageDown: now - 5 * by, PageUp: now + 5 * by, Home: low, End: high,
    }[event.key];
    if (target === undefined) return;
    event.preventDefault();
    const number = Math.min(high, Math.max(low, target));
    if (slider === strip()) set({ layer: String(number) });
    else set({ [slider.dataset.set]: String(Number(number.toPrecision(6))) });
  }

  // Dragging shows at once and writes the address when the pointer is let go or rests.
  function onPointerDown(event) {
    const slider = event.target.closest('[role="slider"]');
    if (!slider || event.button) return;
    event.preventDefault();
    slider.focus();
    slider.setPointerCapture(event.pointerId);
    let rest = null;
    const write = () => {
      clearTimeout(rest);
      if (slider !== strip()) return set({ [slider.dataset.set]: slider.getAttribute("aria-valuenow") });
      const chosen = preview;
      preview = null;
      if (chosen !== null) set({ layer: String(chosen) });
    };
    const move = (at) => {
      show(slider, at);
      clearTimeout(rest);
      rest = setTimeout(write, 120);
    };
    const end = () => {
      slider.removeEventListener("pointermove", move);
      slider.removeEventListener("pointerup", end);
      slider.removeEventListener("pointercancel", end);
      write();
    };
    slider.addEventListener("pointermove", move);
    slider.addEventListener("pointerup", end);
    slider.addEventListener("pointercancel", end);
    show(slider, event);
  }

  function show(slider, event) {
    const box = slider.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    if (slider === strip()) {
      const cells = slider.children;
      const cell = cells[Math.min(cells.length - 1, Math.floor(share * cells.length))];
      preview = Number(cell.dataset.layer);
      return syncStrip();
    }
    const low = Number(slider.getAttribute("aria-valuemin"));
    const high = Number(slider.getAttribute("aria-valuemax"));
    const by = Number(slider.dataset.step);
    showNumber(slider, low + Math.round((share * (high - low)) / by) * by);
  }

  /** What a click on a point of a figure sets. */
  function clickPoint(card, point) {
    const changes = {};
    for (const [key, from] of Object.entries(JSON.parse(card.dataset.sets || "{}"))) {
      const found = from === "customdata" && Array.isArray(point.customdata) ? point.customdata[0] : point[from];
      // of a run of another depth, points lie between layers
      if (found !== undefined && found !== null) changes[key] = String(key === "layer" ? Math.round(found) : found);
    }
    if (Object.keys(changes).length) set(changes);
  }

  // ------------------------------------------------------------------ theme

  function storedTheme() {
    try {
      return localStorage.getItem("probekit-theme") || "auto";
    } catch (error) {
      return "auto"; // storage can be forbidden
    }
  }

  let themeChoice = params().get("theme") || storedTheme();
  const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");

  function theme() {
    if (themeChoice === "light" || themeChoice === "dark") return themeChoice;
    return prefersDark.matches ? "dark" : "light";
  }

  function chooseTheme(choice) {
    themeChoice = choice;
    try {
      localStorage.setItem("probekit-theme", choice);
    } catch (error) {
      /* it lasts as long as the page */
    }
    applyTheme();
  }

  function applyTheme() {
    document.documentElement.dataset.theme = theme();
    document.documentElement.dataset.agThemeMode = theme();
    for (const button of all("[data-theme-choice]"))
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === themeChoice));
    if (site) drawSite();
    else askCards(false);
  }

  // ------------------------------------------------------------------ tables, exports, copies

  function dataUrl(card, kind) {
    const query = params();
    if (card.dataset.key) query.set("key", card.dataset.key);
    return `/data/${card.dataset.card}.${kind}${search(query)}`;
  }

  async function tableOf(card) {
    if (site) return (card.drawn || {}).table || null;
    const answer = await fetch(dataUrl(card, "json"));
    if (!answer.ok) throw new Error((await answer.text()).trim());
    return answer.json();
  }

  async function fillTable(fold) {
    const card = fold.closest("[data-card]");
    const place = fold.querySelector(".table-place");
    const now = card.dataset.card + location.search + location.hash;
    if (place.dataset.shows === now && !site) return;
    place.dataset.shows = now;
    try {
      const table = await tableOf(card);
      if (place.dataset.shows !== now) return; // another has been asked for since
      place.replaceChildren(table ? tableElement(table) : "Nothing is drawn.");
    } catch (error) {
      if (place.dataset.shows !== now) return;
      place.replaceChildren(error.message);
      delete place.dataset.shows;
    }
  }

  const MOST_ROWS = 1000;

  function tableElement(content) {
    const table = document.createElement("table");
    const head = table.createTHead().insertRow();
    for (const [at, name] of content.columns.entries()) {
      const cell = document.createElement("th");
      cell.scope = "col";
      if (content.rows.some((row) => typeof row[at] === "number")) cell.className = "number-cell";
      cell.textContent = name;
      head.append(cell);
    }
    const body = table.createTBody();
    for (const values of content.rows.slice(0, MOST_ROWS)) {
      const row = body.insertRow();
      for (const found of values) {
        const cell = row.insertCell();
        const text = document.createElement("bdi");
        text.textContent = typeof found === "number" ? Number(found.toPrecision(6)) : found ?? "";
        if (typeof found === "number") cell.className = "number-cell";
        cell.append(text);
      }
    }
    if (content.rows.length > MOST_ROWS)
      table.createCaption().textContent = `The first ${MOST_ROWS} of ${content.rows.length} rows; CSV and JSON have all.`;
    return table;
  }

  function save(card, kind) {
    if (kind === "png" || kind === "svg") return saveImage(card, kind);
    if (site) return saveSite(card, kind);
    download(dataUrl(card, kind), "");
  }

  function download(url, name) {
    const link = document.createElement("a");
    link.href = url;
    link.download = name;
    document.body.append(link);
    link.click();
    link.remove();
  }

  /** A picture with its title and the sentence on how it was made, as on paper. */
  async function saveImage(card, kind) {
    const gd = card.querySelector(".js-plotly-plot");
    if (!gd || !gd.data || !gd.data.length) return;
    const title = card.querySelector("h2").textContent;
    const note = card.querySelector(".method").textContent;
    const { width, height } = gd.getBoundingClientRect();
    const ink = gd._fullLayout.font.color;
    const line = { type: "line", xref: "x", yref: "paper", x0: layer(), x1: layer(), y0: 0, y1: 1, line: { color: ink, width: 1.5 } };
    const own = card.dataset.layerAxes === "1" ? [line] : []; // on screen it is not plotly's
    const layout = {
      ...gd.layout,
      shapes: [...(gd.layout.shapes || []), ...own],
      title: { text: escape(title), x: 0.02, y: 0.98, yanchor: "top", font: { size: 17 } },
      margin: { ...gd.layout.margin, t: (gd.layout.margin.t || 40) + 36, b: (gd.layout.margin.b || 48) + 56 },
      width, height: height + 92, autosize: false,
      annotations: [...(gd.layout.annotations || []), {
        text: wrapped(escape(note), Math.floor(width / 6.2)), xref: "paper", yref: "paper", x: 0, y: 0,
        yshift: -52, yanchor: "top", xanchor: "left", align: "left", showarrow: false, font: { size: 11, color: ink },
      }],
    };
    const picture = { data: gd.data, layout, config: { staticPlot: true } };
    const url = await window.Plotly.toImage(picture, { format: kind, width, height: height + 92, scale: 2 });
    download(url, `${card.dataset.card.replace("/", "-")}.${kind}`);
  }

  const escape = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

  function wrapped(text, width) {
    const lines = [""];
    for (const word of text.split(" ")) {
      if ((lines[lines.length - 1] + word).length > width) lines.push("");
      lines[lines.length - 1] += word + " ";
    }
    return lines.join("<br>");
  }

  function copy(button) {
    const code = button.parentElement.querySelector("code, pre");
    const done = () => {
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 1200);
    };
    if (navigator.clipboard) navigator.clipboard.writeText(code.textContent).then(done, () => selectText(code));
    else selectText(code);
  }

  function selectText(element) {
    window.getSelection().selectAllChildren(element);
  }

  // ------------------------------------------------------------------ figures on screen

  function ready(gd) {
    if (!gd.data || !gd.data.length) return;
    const slot = gd.closest(".slot");
    const margin = (gd.layout || {}).margin || {};
    slot.style.setProperty("--top", `${margin.t || 0}px`);
    slot.style.setProperty("--bottom", `${margin.b || 0}px`);
    slot.dataset.ready = "1";
  }

  /** A figure has the height that the server gave it, and so has its place. */
  function fit(card, figure) {
    const height = figure && figure.layout && figure.layout.height;
    if (height) card.querySelector(".slot").style.minHeight = `${height}px`;
  }

  /** Put in what a card shows: a figure, HTML or rows, or why there is nothing. */
  function showDrawn(card, drawn, now) {
    if (site) card.drawn = drawn;
    fit(card, drawn.figure);
    fill(card.querySelector(".message"), drawn.problem || "");
    const method = card.querySelector(".method");
    if (method) method.textContent = drawn.method || "";
    const code = card.querySelector(".fold-code pre");
    if (code) code.textContent = drawn.code;
    if (drawn.html !== undefined) {
      fill(card.querySelector(".panel"), drawn.html);
      if (!site) sync(); // a panel can hold controls
    }
    if (drawn.rows !== undefined) window.dash_clientside.set_props(gridId(card), { rowData: drawn.rows });
    const drawing = drawn.figure && drawFigure(card, drawn.figure);
    if (site) for (const fold of all("details.fold-table[open]", card)) fillTable(fold);
    card.shown = now;
    return drawing;
  }

  const plots = new Set();

  /** Let go of figures whose page is gone: each listens to the window. */
  function letGo() {
    for (const place of plots) {
      if (place.isConnected) continue;
      window.Plotly.purge(place);
      plots.delete(place);
    }
  }

  /** The layer in a table of layers: lines through its row and its column. */
  function cross() {
    const at = layer();
    const line = { color: "#7f7f7f", width: 1, dash: "dot" };
    return [
      { type: "line", yref: "y domain", x0: at, x1: at, y0: 0, y1: 1, line },
      { type: "line", xref: "x domain", x0: 0, x1: 1, y0: at, y1: at, line },
    ];
  }

  function crossLayer(card) {
    const place = card.querySelector(".plot");
    if (!place.data || place.crossed === layer()) return;
    place.crossed = layer();
    window.Plotly.relayout(place, { shapes: cross() });
  }

  function drawFigure(card, figure) {
    const place = card.querySelector(".plot");
    plots.add(place);
    if (card.dataset.layerAxes === "2") {
      place.crossed = layer();
      figure.layout.shapes = cross();
    }
    return window.Plotly.react(place, figure.data, figure.layout, { displayModeBar: false, responsive: true }).then(() => {
      if (!place.adopted) {
        place.adopted = true;
        place.on("plotly_afterplot", () => ready(place));
        place.on("plotly_click", (event) => clickPoint(card, event.points[0]));
      }
      ready(place);
    });
  }

  // ------------------------------------------------------------------ grids

  /** What of the state a row is chosen by: the layer only where a row sets nothing else. */
  function rowKeys(card) {
    const sets = Object.entries(JSON.parse(card.dataset.sets || "{}"));
    const own = sets.filter(([key]) => key !== "layer");
    return own.length ? own : sets;
  }

  const rowName = (card, row) => rowKeys(card).map(([, field]) => String(row[field])).join("\n");
  const rowWanted = (card) => rowKeys(card).map(([key]) => value(key) || "").join("\n");

  /** The row that the state names is the selected one; it comes into sight when it has changed. */
  function markRow(card) {
    const api = card.grid;
    if (!api || api.isDestroyed() || !rowKeys(card).length) return;
    const wanted = rowWanted(card);
    const moved = card.marked !== wanted;
    if (!moved && api.getSelectedNodes().length) return;
    card.marked = wanted;
    let found = null;
    api.forEachNode((node) => {
      if (rowName(card, node.data) === wanted) found = node;
    });
    if (!found) {
      if (api.getSelectedNodes().length) api.deselectAll();
      return;
    }
    if (!found.isSelected()) found.setSelected(true, true);
    if (!moved || found.rowIndex === null) return;
    api.paginationGoToPage(Math.floor(found.rowIndex / api.paginationGetPageSize()));
    api.ensureNodeVisible(found);
  }

  const gridId = (card) => ({ type: "grid", card: card.dataset.card, key: card.dataset.key });

  /** Take hold of the grids on screen, once each. */
  function adoptGrids() {
    for (const card of all('[data-card][data-kind="grid"]')) {
      if (card.adopting) continue;
      card.adopting = true;
      window.dash_ag_grid.getApiAsync(gridId(card)).then((api) => {
        card.grid = api;
        const mark = () => setTimeout(() => markRow(card)); // rows drawn inside its event stay empty
        api.addEventListener("rowDataUpdated", () => {
          delete card.marked;
          mark();
        });
        api.addEventListener("rowClicked", (event) => clickPoint(card, event.data));
        mark();
      });
    }
  }

  // ------------------------------------------------------------------ Dash

  /** The address as it should read, from the frame that the server made for the one asked. */
  function takeCanonical(opened) {
    if (!opened || opened.asked !== location.search) return;
    const wanted = opened.query ? "?" + opened.query : "";
    if (wanted !== location.search) window.history.replaceState({}, "", location.pathname + wanted);
    openedKey = frameKey();
  }

  function frameKey() {
    return [location.pathname, ...FRAMED.map((key) => params().get(key) || "")].join("\n");
  }

  /** A card and all that decides what it shows. */
  function signature(card) {
    const query = params();
    const { card: name, key, follows } = card.dataset;
    return JSON.stringify([name, key, theme()].concat([...ALWAYS, ...JSON.parse(follows)].map((each) => query.get(each))));
  }

  /** Cards that do not show the present state yet; of those in sight alone, or of all. */
  function behind(inSight) {
    return all("[data-card]").filter((card) => card.shown !== signature(card) && !(inSight && away(card)));
  }

  /** Pixels between a card and the window; 0 for what can be seen of it now. */
  function away(card) {
    const box = card.getBoundingClientRect();
    return Math.max(0, box.top - window.innerHeight, -box.bottom);
  }

  // Milliseconds without a change before the cards out of sight begin, and from one turn of theirs
  // to the next; cards of a turn.
  const REST = 160, BETWEEN = 90, A_TURN = 2;
  let nextTurn = null;

  /** Ask for the cards whose part of the state has changed: those in sight at once, the others a
   * few at a time, nearest first, when those have come and nothing has changed for a moment. */
  function askCards(turn) {
    if (frameKey() !== shownKey) return; // another page is on its way
    const waiting = [];
    let busy = false; // with what is in sight
    for (const card of all("[data-card]")) {
      const now = signature(card);
      if (card.failed && !turn) {
        card.failed = false; // a change asks again, a turn does not
        delete card.asked;
      }
      const far = away(card);
      if (card.asked === now) {
        busy = busy || (far === 0 && card.shown !== now && !card.failed);
        continue;
      }
      if (far > 0) waiting.push({ card, now, far });
      else ask(card, now);
    }
    waiting.sort((a, b) => a.far - b.far);
    for (const { card, now } of turn && !busy ? waiting.splice(0, A_TURN) : []) ask(card, now);
    clearTimeout(nextTurn);
    nextTurn = waiting.length ? setTimeout(() => askCards(true), turn ? BETWEEN : REST) : null;
  }

  /** Ask the server what a card shows; an answer to an earlier question is dropped. */
  async function ask(card, now) {
    card.asked = now;
    if (card.request) card.request.abort();
    card.request = new AbortController();
    const query = params();
    if (card.dataset.key) query.set("key", card.dataset.key);
    query.set("theme", theme());
    let drawn;
    try {
      const answer = await fetch(`/card/${card.dataset.card}${search(query)}`, { signal: card.request.signal });
      if (!answer.ok) throw new Error((await answer.text()).trim());
      drawn = await answer.json();
      if (drawn.figure) await plotly();
    } catch (error) {
      if (error.name !== "AbortError" && card.asked === now)
        failed(card, "The server did not answer", `${error.message}. Is it still running? ${AGAIN}`);
      return;
    }
    if (card.asked !== now || !card.isConnected) return;
    try {
      await showDrawn(card, drawn, now);
    } catch (error) {
      if (card.asked === now) failed(card, "This view could not be drawn", `${error.message}. ${AGAIN}`);
    }
  }

  const AGAIN = "The next change asks again, and so does loading the page.";

  /** Say why there is nothing to see. */
  function failed(card, words, reason) {
    card.failed = true;
    const said = document.createElement("div");
    said.className = "state failed";
    const heading = document.createElement("strong");
    heading.textContent = words;
    const text = document.createElement("p");
    text.textContent = reason;
    said.append(heading, text);
    card.querySelector(".message").replaceChildren(said);
  }

  let loading = null;

  /** Plotly, fetched once, while the page is asked for; again where it did not come. */
  function plotly() {
    if (!loading)
      loading = new Promise((done, fail) => {
        const script = document.createElement("script");
        script.src = "/assets/plotly-cartesian.min.js";
        script.onload = done;
        script.onerror = () => {
          loading = null;
          fail(new Error("Its script for figures did not come"));
        };
        document.head.append(script);
      });
    return loading;
  }

  /** Put in HTML that probekit_app.static_html wrote, which escapes every text. */
  function fill(place, text) {
    place.innerHTML = text;
    place.dispatchEvent(new CustomEvent("workbench:filled", { bubbles: true }));
  }

  const cardOf = (id) =>
    all("[data-card]").find((card) => card.dataset.card === id.card && card.dataset.key === id.key);

  const callbacks = {
    /** Ask for the frame when the page or a run changes, and only then. */
    frame() {
      const key = frameKey();
      if (key === openedKey) return NO_UPDATE();
      openedKey = key;
      plotly().catch(() => {}); // each figure asks again, and says so
      return { path: location.pathname, query: location.search };
    },

    /** A page is on screen: put in what surrounds it, and write the state into its elements. */
    opened(opened) {
      if (!opened) return NO_UPDATE();
      takeCanonical(opened);
      for (const [id, text] of Object.entries(opened.html)) fill(document.getElementById(id), text);
      requestAnimationFrame(() => {
        letGo();
        shownKey = openedKey;
        sync();
        applyTheme(); // and ask for what the cards show
        mendChecklists();
        const heading = document.querySelector("#page h1");
        document.title = heading ? `${heading.textContent} · probekit` : "probekit";
      });
      return NO_UPDATE();
    },

    /** A grid has its rows. */
    listed() {
      adoptGrids();
      return NO_UPDATE();
    },

    picked() {
      const found = (window.dash_clientside.callback_context.triggered || [])[0];
      const row = found && found.value && found.value[0];
      const card = row && cardOf(window.dash_clientside.callback_context.triggered_id);
      if (card && rowName(card, row) !== card.marked) clickPoint(card, row);
      return NO_UPDATE();
    },
  };

  /** Dash calls a list of checkboxes a list box, which cannot hold them: to a screen reader it is
   * what it looks like, checkboxes in a named group. */
  function mendChecklists() {
    for (const list of all(".study")) {
      const mend = () => {
        for (const each of all(".dash-checklist[role], .dash-checklist [role='option'], .dash-checklist [aria-selected]", list)) {
          each.removeAttribute("role");
          each.removeAttribute("aria-selected");
        }
      };
      if (!list.mended) new MutationObserver(mend).observe(list, { subtree: true, childList: true, attributeFilter: ["aria-selected"] });
      list.mended = true;
      mend();
    }
  }

  // ------------------------------------------------------------------ the static export

  const received = new Map();

  /** Files beside the page call this with what a card shows. */
  function receive(name, drawn) {
    received.set(name, drawn);
    for (const card of all("[data-card]")) if (card.wants === name) showDrawn(card, drawn);
  }

  function drawSite() {
    for (const card of all("[data-card][data-varies]")) {
      const varies = JSON.parse(card.dataset.varies);
      const parts = varies.map((key) => value(key) || "");
      const name = [card.dataset.card.replace("/", "-"), ...parts, theme()].join("_").replace(/[^\w.-]+/g, "-");
      if (card.wants === name) continue;
      card.wants = name;
      if (received.has(name)) showDrawn(card, received.get(name));
      else load(`data/${name}.js`);
    }
  }

  function load(file) {
    const script = document.createElement("script");
    script.src = file;
    document.head.append(script);
  }

  function saveSite(card, kind) {
    const table = (card.drawn || {}).table;
    if (!table) return;
    const text = kind === "json" ? JSON.stringify(table) : csv(table);
    saveText(`${card.dataset.card.replace("/", "-")}.${kind}`, text);
  }

  function saveText(name, text) {
    const url = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
    download(url, name);
    URL.revokeObjectURL(url);
  }

  /** Cells that a spreadsheet would run as a formula get an apostrophe. */
  function csv(table) {
    const cell = (found) => {
      if (found === null || found === undefined) return "";
      const text = typeof found === "string" && /^[=+\-@\t\r]/.test(found) ? "'" + found : String(found);
      return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    return [table.columns, ...table.rows].map((row) => row.map(cell).join(",") + "\r\n").join("");
  }

  // ------------------------------------------------------------------ start

  document.documentElement.dataset.theme = theme();
  document.documentElement.dataset.agThemeMode = theme();
  document.addEventListener("click", onClick);
  document.addEventListener("change", onChange);
  document.addEventListener("keydown", onKey);
  document.addEventListener("pointerdown", onPointerDown);
  document.addEventListener("toggle", (event) => {
    if (event.target.matches("details.fold-table[open]")) fillTable(event.target);
  }, true);
  window.addEventListener("focus", () => {
    if (document.getElementById("study-jobs")) tell("study-act", "");
  });
  document.addEventListener("scroll", () => {
    if (nextTurn === null) return; // what waits is sooner in sight than its turn comes
    clearTimeout(nextTurn);
    nextTurn = setTimeout(() => askCards(true), 30);
  }, { passive: true });
  window.addEventListener("popstate", () => requestAnimationFrame(() => (sync(), askCards(false))));
  prefersDark.addEventListener("change", applyTheme);

  window.dash_clientside = Object.assign(window.dash_clientside || {}, { workbench: callbacks });
  window.workbench = { set, value, receive, saveText, csv, behind };
  if (site)
    document.addEventListener("DOMContentLoaded", () => {
      sync();
      applyTheme();
      window.addEventListener("hashchange", () => (sync(), drawSite()));
    });
})();
