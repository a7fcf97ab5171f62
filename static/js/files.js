// The files page: panes that change without a new page, and the grids in them.
// Without this every link and form of the page does the same, page by page.

import { dropping } from "./dropping.js";
import { Grid } from "./grid.js";
import { remembering } from "./remembering.js";

const grids = new Map(); // form -> Grid
const root = () => document.getElementById("files");
const pane = (side) => root().querySelector(`[data-pane="${side}"]`);
const remembered = remembering(() => grids.values());
/** The grid of a pane, once its listing is here; until then the pane works as without script. */
function gridOf(section) {
  const grid = grids.get(section?.querySelector("[data-grid-form]"));
  return grid?.stamp ? grid : undefined;
}

const page = {
  dragged: null,
  remembered,

  say(words) {
    const region = document.getElementById("announcer");
    clearTimeout(this.saying);
    this.saying = setTimeout(() => { region.textContent = words; }, 120);
  },

  /** Asks our server for data; what it refuses is shown in the pane. Null if nothing came. */
  async ask(address, grid, options = {}) {
    let response;
    try {
      response = await fetch(address, {
        ...options,
        headers: { "HX-Request": "true", "HX-Current-URL": location.href },
      });
    } catch {
      this.failed(grid, null);
      return null;
    }
    const elsewhere = response.headers.get("HX-Redirect");
    if (elsewhere) { remembered.take(); location.assign(elsewhere); return null; }
    if (!response.ok) { this.failed(grid, await response.text()); return null; }
    let data = {};
    try {
      if (response.status !== 204) data = await response.json();
    } catch { // broke off on the way
      this.failed(grid, null);
      return null;
    }
    this.failed(grid, "");
    return data;
  },

  /** What went wrong, above the rows: a part of a page of ours, or nothing. */
  failed(grid, html) {
    grid.form.querySelector("[data-problem]")?.remove();
    if (html === "") return;
    const problem = document.createElement("div");
    problem.dataset.problem = "";
    problem.className = "panel-body py-2";
    const found = html && new DOMParser().parseFromString(html, "text/html").querySelector(".notice");
    if (found) problem.append(found);
    else {
      problem.setAttribute("role", "alert");
      problem.textContent = "The portal did not answer. Nothing is lost; try again in a moment.";
    }
    grid.scroll.before(problem);
  },

  /** The folder that the other pane shows. */
  other(side) {
    const section = pane(side === "origin" ? "destination" : "origin");
    return section ? { id: section.dataset.collection, path: section.dataset.path } : {};
  },

  opening(side, path) {
    const address = new URL(location.href);
    for (const name of ["filter", "kind", "offset"]) address.searchParams.delete(`${side}_${name}`);
    address.searchParams.set(`${side}_path`, path);
    return address.href;
  },

  up(grid) {
    const section = grid.form.closest("[data-pane]");
    if (!section.dataset.up) { this.say("There is nothing above this folder"); return; }
    const path = new URL(section.dataset.up, location.href).searchParams.get(`${grid.side}_path`);
    this.go(this.opening(grid.side, path), { side: grid.side, from: lastName(section.dataset.path) });
  },

  /** The address always is a link to what is shown. */
  remember(side, values) {
    const address = new URL(location.href);
    for (const [name, value] of Object.entries(values)) {
      if (value) address.searchParams.set(`${side}_${name}`, value);
      else address.searchParams.delete(`${side}_${name}`);
    }
    history.replaceState(history.state, "", address);
  },

  async go(address, { push = true, side = "origin", from, options } = {}) {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    pane(side)?.setAttribute("aria-busy", "true");
    let response, fresh, text;
    try {
      response = await fetch(address, options);
      text = await response.text();
      fresh = new DOMParser().parseFromString(text, "text/html");
    } catch {
      pane(side)?.removeAttribute("aria-busy");
      this.say("The portal did not answer. Try again in a moment.");
      return;
    }
    if (turn !== this.turn) return;
    if (!fresh.getElementById("files")) { location.assign(options ? response.url : address); return; }
    if (push) {
      remembered.keep(true); // what is picked here, before the entry is another one
      history.pushState(null, "", options ? response.url : address);
    }
    swap(fresh);
    remembered.shows();
    await setUp();
    focusOn(side, from);
    const rows = gridOf(pane(side));
    const name = pane(side)?.querySelector("[aria-current=page]")?.textContent.trim() ?? "";
    this.say(rows ? `${name}: ${rows.found} entries` : pane(side)?.querySelector(".notice-title, .empty h3")?.textContent ?? name);
  },
};

const lastName = (path) => path.split("/").filter(Boolean).pop();

/** Takes a new page in; rows that it shows as they are stay, with all that is picked. */
function swap(fresh) {
  const came = fresh.getElementById("files");
  document.title = fresh.title;
  const kept = [];
  for (const section of came.querySelectorAll("[data-pane]")) {
    const old = pane(section.dataset.pane);
    const [mine, theirs] = [old, section].map((each) => each?.querySelector("[data-grid-form]"));
    if (mine && theirs && grids.has(mine) && isSame(old, section, mine, theirs)) {
      kept.push([grids.get(mine), mine.querySelector(".grid-scroll").scrollTop]);
      mine.dataset.entering = theirs.dataset.entering;
      theirs.replaceWith(mine);
    }
  }
  root().replaceWith(document.adoptNode(came));
  for (const [grid, top] of kept) {
    if (!grid.stamp) continue; // its rows are on their way; what is ticked counts then
    grid.scroll.scrollTop = top;
    grid.clear();
    grid.render();
  }
  for (const form of [...grids.keys()]) if (!form.isConnected) grids.delete(form);
}

function isSame(old, section, mine, theirs) {
  const grid = grids.get(mine);
  const [now, stamp] = [mine, theirs].map((form) => form.elements.namedItem("stamp").value);
  const { sort, filterText, kind, hidden, columns } = theirs.dataset;
  return (
    old.dataset.collection === section.dataset.collection &&
    old.dataset.path === section.dataset.path &&
    (grid.stamp || now) === stamp && grid.view.sort === sort && grid.view.filter === filterText &&
    grid.view.kind === kind && grid.hidden === hidden && mine.dataset.columns === columns
  );
}

async function setUp() {
  const started = [];
  for (const form of root()?.querySelectorAll("[data-grid-form]") ?? []) {
    if (grids.has(form)) continue;
    const grid = new Grid(form, page);
    grids.set(form, grid);
    started.push(grid.start());
  }
  await Promise.all(started);
}

function focusOn(side, from) {
  const section = pane(side);
  const grid = gridOf(section);
  if (grid?.found) { grid.focus(from); return; }
  const target = section?.querySelector(".notice a, .notice button, .empty a") ?? section;
  if (target === section) section?.setAttribute("tabindex", "-1");
  target?.focus();
}

function clicked(event) {
  const link = event.target.closest("a[data-go]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  const section = link.closest("[data-pane]");
  const side = section.dataset.pane;
  // The other pane may have moved on since this link was written.
  const wanted = new URL(link.href), now = new URL(location.href);
  for (const key of [...now.searchParams.keys()]) if (key.startsWith(`${side}_`)) now.searchParams.delete(key);
  for (const [key, value] of wanted.searchParams) if (key.startsWith(`${side}_`)) now.searchParams.set(key, value);
  const from = link.dataset.go === "up" ? lastName(section.dataset.path) : undefined;
  page.go(now.href, { side, from });
}

function submitted(event) {
  const form = event.target;
  if (event.defaultPrevented) return;
  const side = form.closest("[data-pane]")?.dataset.pane;
  if (form.matches("form[data-filter]")) {
    const grid = gridOf(form.closest("[data-pane]"));
    if (!grid) return;
    event.preventDefault();
    filter(form, grid);
  } else if (form.matches("form[data-go]")) {
    event.preventDefault();
    page.go(page.opening(side, form.querySelector("[name$=_path]").value), { side });
  } else if (form.matches("form[data-refresh]")) {
    event.preventDefault();
    form.elements.namedItem("back").value = location.pathname + location.search;
    page.go(form.action, { side, push: false, options: { method: "POST", body: new URLSearchParams(new FormData(form)) } });
    delete form.dataset.sent;
  }
  const back = form.querySelector("[name=back]");
  if (back) back.value = location.pathname + location.search;
}

function filter(form, grid) {
  const side = form.closest("[data-pane]").dataset.pane;
  const changes = { filter: form.elements.namedItem(`${side}_filter`).value, kind: form.elements.namedItem(`${side}_kind`).value };
  if (changes.filter !== grid.view.filter || changes.kind !== grid.view.kind) grid.show(changes);
}

let typing;
function typed(event) {
  const form = event.target.closest("form[data-filter]");
  const grid = form && gridOf(form.closest("[data-pane]"));
  if (!grid) return;
  clearTimeout(typing);
  typing = setTimeout(() => filter(form, grid), event.type === "change" ? 0 : 250);
}

// --- dragging to the other pane; the button "Transfer…" does the same

function target(event) {
  const section = event.target.closest?.("[data-pane]");
  const source = page.dragged;
  if (!section || !source || section.dataset.pane === source.side) return null;
  return placeAt(event, section);
}

/** The folder that is pointed at: one of the rows, or the pane's own. */
function placeAt(event, section) {
  const row = event.target.closest("tr[data-index]");
  const found = row && gridOf(section)?.row(Number(row.dataset.index));
  const inner = found?.isFolder ? gridOf(section).inner(found.name) : null;
  return { section, element: inner ? row : section, place: { id: section.dataset.collection, path: inner ?? section.dataset.path } };
}

function mark(element) {
  for (const old of document.querySelectorAll(".is-target")) if (old !== element) old.classList.remove("is-target");
  element?.classList.add("is-target");
}

function dragging(event) {
  const found = target(event);
  mark(found?.element);
  if (!found) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "copy";
}

function dropped(event) {
  const found = target(event);
  mark(null);
  if (!found) return;
  event.preventDefault();
  page.dragged.transferTo(found.place);
  page.dragged = null;
}

/** Asks for the folder of a pane once more. */
function again(id) {
  for (const section of root().querySelectorAll("[data-pane]"))
    if (section.dataset.collection === id && gridOf(section)) gridOf(section).again();
    else if (section.dataset.collection === id) page.go(location.href, { push: false, side: section.dataset.pane });
}

/** Buttons that copy the text of a field. */
function copying() {
  for (const button of document.querySelectorAll("[data-copy]")) {
    if (!navigator.clipboard) continue;
    button.closest("[hidden]")?.removeAttribute("hidden");
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).value);
      page.say("Copied");
      button.lastChild.textContent = "Copied";
    });
  }
}

copying();
if (root()) {
  // First: a pane waits neither for the other one nor for its own rows.
  document.addEventListener("click", clicked);
  document.addEventListener("submit", submitted);
  document.addEventListener("input", typed);
  document.addEventListener("change", typed);
  document.addEventListener("dragover", dragging);
  document.addEventListener("drop", dropped);
  document.addEventListener("dragend", () => { mark(null); page.dragged = null; });
  dropping({ placeAt, mark, again });
  window.addEventListener("popstate", () => {
    remembered.forget();
    page.go(location.href, { push: false });
  });
  await setUp();
}
