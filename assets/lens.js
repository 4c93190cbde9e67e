/* Grids of tokens: layers × positions, last layer on top, and the live lens that fills them.
 *
 * A grid arrives as JSON (probekit_app/live/grids.py) and becomes a table here; every text is put in
 * as text. What is typed and what was read stay in memory when a card is drawn again.
 */
(function () {
  "use strict";

  const TEXT_KEY = "probekit-live-text";
  const all = (selector, root) => Array.from((root || document).querySelectorAll(selector));
  const live = () => document.querySelector(".live");
  const memory = { text: "", found: [], words: "", problem: false, turn: 0, reading: false };

  function element(name, className, ...children) {
    const made = document.createElement(name);
    if (className) made.className = className;
    made.append(...children);
    return made;
  }

  /** Text of any script, apart from the direction of what is around it. */
  function isolated(text) {
    const made = element("bdi", "", text);
    made.dir = "auto";
    return made;
  }

  const layerName = (layer) => (layer < 0 ? "emb" : String(layer));
  const layerWords = (layer) => (layer < 0 ? "the embedding" : `block ${layer}`);

  // ------------------------------------------------------------------ a grid as a table

  function table(grid) {
    const made = element("table", "token-grid");
    made.setAttribute("role", "grid");
    made.setAttribute("aria-label", `Best token of every layer: ${grid.text.slice(0, 80)}`);
    made.grid = grid;
    const head = made.createTHead().insertRow();
    head.append(headCell("", "col"));
    grid.tokens.forEach((token, at) => {
      const cell = headCell("", "col");
      cell.dataset.pos = grid.positions[at];
      cell.dataset.token = token.id;
      cell.title = `position ${grid.positions[at]}: ${token.text} (id ${token.id})`;
      cell.append(element("span", "place", String(grid.positions[at])), isolated(token.text));
      head.append(cell);
    });
    const body = made.createTBody();
    for (let row = grid.layers.length - 1; row >= 0; row--) body.append(tableRow(grid, row));
    const first = made.querySelector("td");
    if (first) first.tabIndex = 0;
    return made;
  }

  function headCell(text, scope) {
    const cell = element("th", "", text);
    cell.scope = scope;
    return cell;
  }

  function tableRow(grid, row) {
    const made = document.createElement("tr");
    made.dataset.layer = grid.layers[row];
    made.append(headCell(layerName(grid.layers[row]), "row"));
    for (let column = 0; column < grid.positions.length; column++) {
      const id = grid.top_ids[row][column][0];
      const cell = element("td", grid.final_rank[row][column] === 1 ? "framed" : "", isolated(grid.names[id]));
      cell.tabIndex = -1;
      cell.dataset.token = id;
      cell.dataset.row = row;
      cell.dataset.column = column;
      cell.dataset.pos = grid.positions[column];
      for (const [name, share] of Object.entries(shares(grid, row, column)))
        cell.style.setProperty(`--${name}`, share.toFixed(3));
      made.append(cell);
    }
    return made;
  }

  /** Where a cell lies on each colour scale, 0 to 1. */
  function shares(grid, row, column) {
    const rank = Math.log(grid.final_rank[row][column]) / Math.log(grid.vocabulary);
    return {
      probability: grid.top_probability[row][column][0],
      rank: 1 - rank,
      entropy: Math.min(1, grid.entropy[row][column] / grid.most_bits),
      kl: Math.min(1, grid.kl[row][column] / mostKl()),
    };
  }

  const grids = () => memory.found.map((each) => each.grid).filter(Boolean);

  function mostKl() {
    return Math.max(1e-9, ...grids().map((grid) => Math.max(...grid.kl.flat())));
  }

  // ------------------------------------------------------------------ what a cell knows

  function details(grid, row, column) {
    const final = grid.final_ids[column];
    const what = grid.predicts === "next" ? "after" : "at";
    const head = element("p", "where", `${layerWords(grid.layers[row])}, ${what} position ${grid.positions[column]} `);
    head.append(isolated(grid.tokens[column].text));
    const rows = grid.top_ids[row][column].map((id, at) => {
      const share = grid.top_probability[row][column][at];
      const bar = element("span", "share");
      bar.style.setProperty("--share", share);
      const made = element("tr", id === final ? "final" : "", element("td", "", isolated(grid.names[id])));
      made.append(element("td", "id", String(id)), element("td", "", bar), element("td", "number-cell", share.toFixed(3)));
      return made;
    });
    const numbers = element("p", "numbers", "final token ");
    numbers.append(
      isolated(grid.names[final]),
      `: rank ${grid.final_rank[row][column].toLocaleString("en")}, p ${grid.final_probability[row][column].toPrecision(3)}`,
      document.createElement("br"),
      `entropy ${grid.entropy[row][column].toFixed(2)} of ${grid.most_bits.toFixed(1)} bits, KL ${grid.kl[row][column].toFixed(2)} bits`,
    );
    return [head, element("table", "", element("tbody", "", ...rows)), numbers];
  }

  function tip() {
    let made = document.getElementById("token-tip");
    if (made) return made;
    made = element("div", "token-tip");
    made.id = "token-tip";
    made.setAttribute("role", "tooltip");
    made.hidden = true;
    document.body.append(made);
    return made;
  }

  function explain(cell) {
    const grid = cell.closest("table").grid;
    const shown = tip();
    shown.replaceChildren(...details(grid, Number(cell.dataset.row), Number(cell.dataset.column)));
    shown.hidden = false;
    cell.setAttribute("aria-describedby", "token-tip");
    const box = cell.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = shown;
    const below = box.bottom + 6 + height < window.innerHeight;
    shown.style.left = `${Math.max(8, Math.min(box.left, window.innerWidth - width - 16))}px`;
    shown.style.top = `${below ? box.bottom + 6 : Math.max(8, box.top - height - 6)}px`;
  }

  function hush() {
    tip().hidden = true;
  }

  const cellOf = (target) => (target.closest ? target.closest(".token-grid td") : null);

  // ------------------------------------------------------------------ moving and choosing

  const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

  function onKey(event) {
    if (event.key === "Escape") return hush();
    if (event.target.matches && event.target.matches(".live-text")) {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        read(event.target.value);
      }
      return;
    }
    const cell = cellOf(event.target);
    if (!cell || event.altKey || event.ctrlKey || event.metaKey) return;
    const next = target(cell, event.key);
    if (event.key === "Enter" || event.key === " ") choose(cell);
    else if (next) focus(next);
    else return;
    event.preventDefault();
    event.stopPropagation(); // arrows are the grid's here, not the layer strip's
  }

  function target(cell, key) {
    const row = cell.parentElement;
    const rows = Array.from(row.parentElement.children);
    if (key === "Home") return row.cells[1];
    if (key === "End") return row.cells[row.cells.length - 1];
    const move = MOVES[key];
    if (!move) return null;
    const to = rows[Math.min(rows.length - 1, Math.max(0, rows.indexOf(row) + move[0]))];
    return to.cells[Math.min(to.cells.length - 1, Math.max(1, cell.cellIndex + move[1]))];
  }

  function focus(cell) {
    for (const each of all("td[tabindex='0']", cell.closest("table"))) each.tabIndex = -1;
    cell.tabIndex = 0;
    cell.focus();
  }

  /** A cell's layer and position become the workbench's, where its run has that layer. */
  function choose(cell) {
    const layer = cell.parentElement.dataset.layer;
    const pos = cell.dataset.pos;
    const known = document.querySelector(`#layer [data-layer="${CSS.escape(layer)}"]`);
    window.workbench.set({ ...(known ? { layer } : {}), pos: pos === "0" ? null : pos });
  }

  /** Mark the chosen layer and position. */
  function sync() {
    const layer = window.workbench.value("layer");
    const pos = window.workbench.value("pos") || "0";
    for (const row of all(".token-grid tbody tr")) row.classList.toggle("on", row.dataset.layer === layer);
    for (const cell of all(".token-grid thead th[data-pos]")) cell.classList.toggle("on", cell.dataset.pos === pos);
  }

  // ------------------------------------------------------------------ the live lens

  /** Why the texts cannot be read; empty when they can. The server checks again. */
  function refusal(texts) {
    const { longest, most } = live().dataset;
    const size = Math.max(0, ...texts.map((text) => [...text].length));
    if (!texts.length) return "Type what the model is to read, one text a line.";
    if (texts.length > Number(most)) return `At most ${most} texts, one a line; these are ${texts.length}.`;
    if (size > Number(longest))
      return `A text may have ${Number(longest).toLocaleString("en")} characters; one has ${size.toLocaleString("en")}. Shorten it.`;
    return "";
  }

  const pause = (time) => new Promise((done) => setTimeout(done, time));

  async function read(typed) {
    const texts = typed.split(/\r?\n/).filter((text) => text.trim());
    const refused = refusal(texts);
    if (refused) return say(refused, true);
    const turn = ++memory.turn;
    Object.assign(memory, { found: [], reading: true });
    say("Sent.");
    try {
      const asked = await ask("/live/lens", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ texts }) });
      await follow(asked, turn);
    } catch (error) {
      if (turn === memory.turn) say(error instanceof TypeError ? "The workbench does not answer." : error.message, true);
    }
    if (turn !== memory.turn) return;
    memory.reading = false;
    say(memory.words, memory.problem);
  }

  /** Ask how far it is until it is over, and show each grid when it has come. */
  async function follow(asked, turn) {
    for (;;) {
      const told = await ask(`/live/lens/${asked.ticket}?have=${memory.found.length}`);
      if (turn !== memory.turn) return;
      const texts = asked.texts.slice(memory.found.length);
      memory.found.push(...told.found.map((found, at) => ({ text: texts[at], ...found })));
      if (told.stage === "failed") return say(told.problem, true);
      say(told.stage === "done" ? `Read by ${told.model}.` : told.words);
      if (told.found.length) show();
      if (told.stage === "done") return;
      await pause(250);
    }
  }

  async function ask(address, options) {
    const answer = await fetch(address, options);
    const told = await answer.json().catch(() => ({ problem: `The workbench answered ${answer.status}.` }));
    if (!answer.ok) throw new Error(told.problem);
    return told;
  }

  function say(words, problem) {
    Object.assign(memory, { words, problem: Boolean(problem) });
    const place = live() && live().querySelector(".live-status");
    if (!place) return;
    place.textContent = words;
    place.classList.toggle("bad", memory.problem);
    live().setAttribute("aria-busy", String(memory.reading));
  }

  /** Draw everything that was read. */
  function show() {
    const place = live();
    if (!place) return;
    hush();
    place.querySelector(".live-grids").replaceChildren(...memory.found.map(shown));
    const nothing = grids().length === 0;
    place.querySelector(".live-legend").hidden = nothing;
    place.querySelector(".live-saves").hidden = nothing;
    if (!nothing) {
      place.querySelector(".scale-entropy .high").textContent = `${grids()[0].most_bits.toFixed(1)} bits`;
      place.querySelector(".scale-kl .high").textContent = `${mostKl().toPrecision(3)} bits`;
    }
    sync();
  }

  function shown(found) {
    const heading = element("h3", "", isolated(found.text));
    const made = element("section", "live-grid", heading);
    if (found.problem) made.append(element("p", "live-status bad", found.problem));
    else made.append(element("div", "token-scroll", table(found.grid)));
    return made;
  }

  /** A panel was drawn again: give it what it had. */
  function restore() {
    const place = live();
    if (!place) return;
    place.querySelector(".live-text").value = memory.text || kept();
    say(memory.words, memory.problem);
    show();
  }

  function kept() {
    try {
      return sessionStorage.getItem(TEXT_KEY) || "";
    } catch (error) {
      return ""; // storage can be forbidden
    }
  }

  function keep(text) {
    memory.text = text;
    try {
      sessionStorage.setItem(TEXT_KEY, text);
    } catch (error) {
      /* storage can be forbidden or full: it lasts as long as the page */
    }
  }

  function readUnit(texts) {
    const field = live().querySelector(".live-text");
    field.value = texts.map((text) => text.replace(/\s*\n\s*/g, " ")).join("\n");
    keep(field.value);
    live().closest(".card").scrollIntoView({ block: "nearest" });
    read(field.value);
  }

  // ------------------------------------------------------------------ numbers to keep

  function rows() {
    const columns = ["text", "layer", "position", "token_id", "token", "best_id", "best", "best_probability", "entropy_bits", "kl_bits", "final_id", "final_rank", "final_probability"];
    const cells = [];
    for (const grid of grids())
      grid.layers.forEach((layer, row) =>
        grid.positions.forEach((position, at) => {
          const best = grid.top_ids[row][at][0];
          cells.push([grid.text, layer, position, grid.tokens[at].id, grid.tokens[at].text, best, grid.names[best],
            grid.top_probability[row][at][0], grid.entropy[row][at], grid.kl[row][at], grid.final_ids[at],
            grid.final_rank[row][at], grid.final_probability[row][at]]);
        }));
    return { columns, rows: cells };
  }

  const save = (kind) =>
    window.workbench.saveText(`lens-live.${kind}`, kind === "json" ? JSON.stringify(grids()) : window.workbench.csv(rows()));

  // ------------------------------------------------------------------ start

  document.addEventListener("keydown", onKey, true);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    const cell = cellOf(event.target);
    if (cell) focus(cell), choose(cell);
    else if (button && "liveRead" in button.dataset) read(live().querySelector(".live-text").value);
    else if (button && button.dataset.liveTexts) readUnit(JSON.parse(button.dataset.liveTexts));
    else if (button && button.dataset.liveSave) save(button.dataset.liveSave);
  });
  document.addEventListener("input", (event) => {
    if (event.target.matches(".live-text")) keep(event.target.value);
  });
  document.addEventListener("focusin", (event) => {
    const cell = cellOf(event.target);
    if (cell) explain(cell);
    else hush();
  });
  document.addEventListener("mouseover", (event) => {
    const cell = cellOf(event.target);
    const focused = cellOf(document.activeElement);
    if (cell) explain(cell);
    else if (!focused) hush();
  });
  document.addEventListener("scroll", () => {
    const focused = cellOf(document.activeElement);
    if (focused && !tip().hidden) explain(focused); // focus itself scrolls a cell into view
    else hush();
  }, true);
  document.addEventListener("workbench:filled", (event) => {
    if (event.target.querySelector(".live")) restore();
  });
  document.addEventListener("workbench:synced", sync);
})();
