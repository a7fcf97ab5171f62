// A folder as a data grid (ARIA APG): one tab stop, and only the rows that are seen.
//
// Rows come in pages of columns; an entry is called by its number in the listing, so
// that what is picked survives every order, filter and page.

const PAGE = 1000;
const KEPT_PAGES = 12;
const OVERSCAN = 10;
const TYPES = ["dir", "file", "invalid_symlink", "chr", "blk", "pipe", "other"];
const TYPE_WORDS = ["Folder", "File", "Broken link", "Device", "Device", "Pipe", "Other"];
const LINK = 128;
const NO_TIME = -(2 ** 62);
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const UNITS = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const UNSEEN = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cn}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu;
const LONGEST_SHOWN = 255;
const LOST = "The folder has changed. What was selected is let go; please select again.";
const SVG = "http://www.w3.org/2000/svg";

/** “3.4 GiB”, as the pages say it without script. */
export function humanSize(bytes) {
  if (bytes < 1024) return bytes === 1 ? "1 byte" : `${bytes} bytes`;
  let value = bytes, unit = -1;
  do { value /= 1024; unit += 1; }
  while (Math.round(value * 10) / 10 >= 1024 && unit < UNITS.length - 1);
  return `${value.toFixed(value < 100 ? 1 : 0)} ${UNITS[unit]}`;
}

// Made once: a formatter takes a hundred times as long to make as to use.
const WHOLE = new Intl.NumberFormat("en");
const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const counted = (number) => WHOLE.format(number);
const mark = (character) => {
  const code = character.codePointAt(0);
  if (code >= 0xd800 && code <= 0xdfff) return "\ufffd";
  return `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
};

/** A name that others chose, as plain text without anything that acts or misleads. */
export const inertText = (name) => name.replace(UNSEEN, mark);

/** The same as an element, with marks for what cannot be seen. */
function inert(name) {
  const shown = name.length > LONGEST_SHOWN ? name.slice(0, LONGEST_SHOWN) : name;
  const element = document.createElement("bdi");
  element.className = "name";
  let last = 0;
  for (const found of shown.matchAll(UNSEEN)) {
    element.append(shown.slice(last, found.index));
    const sign = document.createElement("span");
    sign.className = "mark-char";
    sign.textContent = mark(found[0]);
    element.append(sign);
    last = found.index + found[0].length;
  }
  element.append(shown.slice(last), shown === name ? "" : "…");
  element.title = inertText(name);
  return element;
}

let sprite;
function icon(name) {
  sprite ??= document.querySelector("svg.icon use").getAttribute("href").split("#")[0];
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${sprite}#${name}`);
  svg.append(use);
  return svg;
}

/** The rows of a page, by their place in it. */
class Page {
  constructor(data) { this.data = data; }

  row(at) {
    const data = this.data, text = data.texts[at], types = data.types[at];
    const [name, target] = typeof text === "string" ? [text, ""] : text;
    return {
      number: data.numbers[at],
      name,
      target,
      kind: types & ~LINK,
      isFolder: (types & ~LINK) === 0,
      isLink: (types & LINK) !== 0,
      size: data.size[at],
      time: data.time[at],
      rights: data.words[data.rights[at]],
      user: data.words[data.user[at]],
      group: data.words[data.group[at]],
    };
  }
}

const fileSize = (row) => (row.isFolder || row.size < 0 ? 0 : row.size);

export class Grid {
  /** @param {object} page what the grid wants of the page: go, ask, say, other, failed */
  constructor(form, page) {
    this.form = form;
    this.page = page;
    this.scroll = form.querySelector(".grid-scroll");
    this.table = form.querySelector("table");
    this.body = this.table.tBodies[0];
    this.heads = [...this.table.tHead.rows[0].cells];
    this.summary = form.querySelector("[data-pick-count]");
    this.pickAll = form.querySelector("[data-pick-all]");
    this.columns = form.dataset.columns.split(" ").filter(Boolean);
    const { sort, filterText, kind, hidden } = form.dataset;
    this.view = { sort, filter: filterText, kind };
    this.hidden = hidden;
    this.pages = new Map();
    this.rows = new Map();
    this.active = { row: 0, col: 1 };
    this.anchor = 0;
    this.turn = 0;
    this.stamp = "";
    this.resetPicked(0);
    this.kept = page.remembered.of(this.side); // until its listing is here
  }

  field(name) { return this.form.elements.namedItem(name); }
  get side() { return this.form.closest("[data-pane]").dataset.pane; }
  get id() { return this.field("origin_id").value; }
  get path() { return this.field("origin_path").value; }

  // --- rows

  async start() {
    const offset = Number(this.form.dataset.offset);
    if (!(await this.load(Math.floor(offset / PAGE)))) return;
    this.pickAgain();
    this.upgrade();
    this.render();
    if (offset) this.scroll.scrollTop = (offset % PAGE + Math.floor(offset / PAGE) * PAGE) * this.height;
  }

  query(extra) {
    return new URLSearchParams({
      id: this.id, path: this.path, hidden: this.hidden, ...this.view, ...extra,
    });
  }

  /** Fetches a page of rows; whether it came. */
  async load(at) {
    if (this.pages.has(at)) return true;
    const turn = this.turn;
    this.pages.set(at, null); // on its way
    const data = await this.page.ask(`${this.form.dataset.rows}?${this.query({ offset: at * PAGE })}`, this);
    if (turn !== this.turn) return false;
    if (!data) { this.pages.delete(at); return false; }
    this.pages.set(at, new Page(data));
    this.found = data.found;
    this.bytes = data.bytes;
    if (data.stamp !== this.stamp) this.takeStamp(data);
    for (const old of [...this.pages.keys()].slice(0, -KEPT_PAGES)) this.pages.delete(old);
    for (const [index, element] of this.rows) {
      // In its place: without it the rows would be too short, and scrolled elsewhere.
      if (Math.floor(index / PAGE) !== at || !element.classList.contains("waits")) continue;
      this.held ||= element.contains(document.activeElement);
      const came = this.element(index);
      element.replaceWith(came);
      this.rows.set(index, came);
    }
    return true;
  }

  /** The listing is another one: numbers that were picked say nothing any more. */
  takeStamp(data) {
    const lost = this.pickedCount;
    const isOther = this.stamp !== "";
    this.stamp = data.stamp;
    this.resetPicked(data.count);
    if (!isOther) return;
    for (const key of [...this.pages.keys()]) if (this.pages.get(key)?.data !== data) this.pages.delete(key);
    this.clear();
    this.lost = lost;
    if (lost) this.page.say(LOST);
    this.showPicked();
  }

  row(index) {
    return this.pages.get(Math.floor(index / PAGE))?.row(index % PAGE) ?? null;
  }

  upgrade() {
    const { form, table } = this;
    form.classList.add("is-live");
    table.setAttribute("role", "grid");
    table.setAttribute("aria-multiselectable", "true");
    form.querySelector("[data-paging]")?.remove();
    form.querySelector("[data-without-script]")?.remove();
    this.scroll.tabIndex = -1;
    this.heads[0].querySelector("[hidden]")?.removeAttribute("hidden");
    this.heads.forEach((head, col) => {
      head.tabIndex = -1;
      for (const link of head.querySelectorAll("a")) link.tabIndex = -1;
      head.setAttribute("aria-colindex", col + 1);
    });
    table.tHead.rows[0].setAttribute("aria-rowindex", "1");
    table.setAttribute("aria-colcount", this.heads.length);
    this.takeTicked();
    this.above = this.space();
    this.below = this.space();
    this.body.replaceChildren(this.above, this.below);
    this.nothing = document.createElement("p");
    this.nothing.className = "nothing";
    this.nothing.textContent = "Nothing here fits the filter.";
    this.nothing.hidden = true;
    this.scroll.append(this.nothing);
    this.scroll.addEventListener("scroll", () => this.soon(), { passive: true });
    table.addEventListener("keydown", (event) => this.key(event));
    this.scroll.addEventListener("keydown", (event) => {
      if (event.target === this.scroll) this.key(event);
    });
    table.addEventListener("click", (event) => this.click(event));
    table.addEventListener("dblclick", (event) => this.doubleClick(event));
    table.addEventListener("focusin", (event) => this.focusin(event));
    table.addEventListener("dragstart", (event) => this.dragstart(event));
    form.addEventListener("submit", (event) => this.submit(event));
    this.pickAll.addEventListener("change", () => this.pickEverything(this.pickAll.checked));
    new ResizeObserver(() => this.soon()).observe(this.scroll);
    this.showPicked();
  }

  /** Boxes that were ticked before this script was there. */
  takeTicked() {
    const ticked = new Set([...this.body.querySelectorAll("input:checked")].map((box) => Number(box.value)));
    if (!ticked.size) return;
    for (const page of this.pages.values()) {
      page?.data.numbers.forEach((number, at) => {
        if (ticked.has(number)) this.set(number, fileSize(page.row(at)), true);
      });
    }
  }

  space() {
    const row = document.createElement("tr");
    row.className = "space";
    row.setAttribute("aria-hidden", "true");
    row.insertCell();
    return row;
  }

  get height() {
    if (!this.measured) {
      const some = this.rows.values().next().value;
      this.measured = some?.getBoundingClientRect().height || 0;
    }
    return this.measured || 42;
  }

  soon() {
    this.frame ??= requestAnimationFrame(() => { this.frame = null; this.render(); });
  }

  /** Puts the rows that can be seen into the table, and asks for those that are not here. */
  render() {
    const top = this.scroll.scrollTop;
    const first = Math.max(0, Math.floor(top / this.height) - OVERSCAN);
    const seen = Math.ceil((this.scroll.clientHeight || 600) / this.height);
    const last = Math.min(this.found, first + seen + 2 * OVERSCAN);
    for (const index of [...this.rows.keys()]) if (index < first || index >= last) this.drop(index);
    let before = this.above;
    for (let index = first; index < last; index += 1) {
      let element = this.rows.get(index);
      if (!element) {
        element = this.element(index);
        this.rows.set(index, element);
        before.after(element);
      }
      before = element;
    }
    this.above.cells[0].style.height = `${first * this.height}px`;
    this.below.cells[0].style.height = `${Math.max(0, this.found - last) * this.height}px`;
    this.above.hidden = first === 0;
    this.below.hidden = last >= this.found;
    this.nothing.hidden = this.found > 0;
    this.table.setAttribute("aria-rowcount", this.found + 1);
    this.rove();
    if (this.held) {
      this.held = false;
      (this.cell() ?? this.scroll).focus({ preventScroll: true });
    }
    for (let at = Math.floor(first / PAGE); at * PAGE < last; at += 1) {
      if (!this.pages.has(at)) this.load(at).then((came) => came && this.soon());
    }
  }

  /** Takes a row out of the table; the focus that was in it comes back by ``render``. */
  drop(index) {
    const element = this.rows.get(index);
    if (!element) return;
    this.held ||= element.contains(document.activeElement);
    element.remove();
    this.rows.delete(index);
  }

  clear() {
    for (const index of [...this.rows.keys()]) this.drop(index);
  }

  element(index) {
    const row = this.row(index);
    const element = document.createElement("tr");
    element.setAttribute("aria-rowindex", index + 2);
    element.dataset.index = index;
    const pick = element.insertCell();
    pick.className = "pick";
    if (!row) {
      element.className = "waits";
      element.insertCell().textContent = "…";
      for (const key of this.columns) element.insertCell().className = `c-${key}`;
      [...element.cells].forEach((cell) => { cell.tabIndex = -1; });
      return element;
    }
    const box = document.createElement("input");
    box.type = "checkbox";
    box.tabIndex = -1;
    box.setAttribute("aria-label", `Select ${inertText(row.name)}`);
    box.checked = this.picked[row.number] === 1;
    pick.append(box);
    element.setAttribute("aria-selected", box.checked);
    element.draggable = true;
    element.append(this.nameCell(row));
    for (const key of this.columns) element.append(this.valueCell(row, key));
    [...element.cells].forEach((cell) => { cell.tabIndex = -1; });
    return element;
  }

  nameCell(row) {
    const cell = document.createElement("td");
    cell.className = "c-name";
    const entry = document.createElement("div");
    entry.className = row.isFolder ? "entry entry-dir" : "entry";
    const sign = row.isFolder ? "folder" : row.isLink || row.kind === 2 ? "link" : row.kind === 1 ? "file" : "unknown";
    const text = document.createElement("span");
    const address = this.leadsTo(row);
    if (address === null) text.append(inert(row.name));
    else {
      const link = document.createElement("a");
      link.href = address;
      link.tabIndex = -1;
      link.draggable = false;
      link.append(inert(row.name));
      text.append(link);
    }
    if (row.target) {
      const leads = document.createElement("span");
      leads.className = "leads";
      leads.append("leads to ", inert(row.target));
      text.append(leads);
    }
    entry.append(icon(sign), text);
    cell.append(entry);
    return cell;
  }

  /** The folder's page, or the one that shows the file; null where a name cannot be asked for. */
  leadsTo(row) {
    const path = this.inner(row.name);
    if (path === null || (!row.isFolder && row.kind !== 1)) return null;
    const { entering, previewing } = this.form.dataset;
    return row.isFolder ? entering + encodeURIComponent(path) : previewing + encodeURIComponent(path.slice(0, -1));
  }

  /** The path of a folder in this one; nothing when its name cannot stand in a path. */
  inner(name) {
    const isOdd = /[\p{Cc}\p{Cs}/]/u.test(name) || name === "." || name === ".." || name === "";
    return isOdd ? null : `${this.path}${name}/`;
  }

  valueCell(row, key) {
    const cell = document.createElement("td");
    cell.className = `c-${key}`;
    const hasSize = !row.isFolder && row.size >= 0;
    if (key === "type") {
      const word = TYPE_WORDS[row.kind];
      cell.textContent = row.isLink && row.kind !== 2 ? `Link to a ${word.toLowerCase()}` : word;
    } else if (key === "size") {
      cell.textContent = hasSize ? humanSize(row.size) : "–";
      if (hasSize) cell.title = `${counted(row.size)} bytes`;
    } else if (key === "bytes") cell.textContent = hasSize ? counted(row.size) : "–";
    else if (key === "time") this.fillTime(cell, row.time);
    else if (row[key]) cell.append(inert(row[key]));
    else cell.textContent = "–";
    return cell;
  }

  fillTime(cell, seconds) {
    const moment = new Date(seconds * 1000);
    if (seconds <= NO_TIME || Number.isNaN(moment.valueOf())) { cell.textContent = "–"; return; }
    const two = (number) => String(number).padStart(2, "0");
    const time = document.createElement("time");
    const hour = document.createElement("span");
    time.dateTime = moment.toISOString();
    time.title = EXACT.format(moment);
    time.append(`${moment.getUTCDate()} ${MONTHS[moment.getUTCMonth()]} ${moment.getUTCFullYear()}`);
    hour.className = "hour";
    hour.textContent = `, ${two(moment.getUTCHours())}:${two(moment.getUTCMinutes())} UTC`;
    time.append(hour);
    cell.append(time);
  }

  // --- what has the focus

  cell() {
    const { row, col } = this.active;
    return row < 0 ? this.heads[col] : this.rows.get(row)?.cells[col] ?? null;
  }

  /** One tab stop: the cell that had the focus last, or the place where the rows are. */
  rove() {
    this.stop?.setAttribute("tabindex", "-1");
    this.active.row = Math.min(this.active.row, this.found - 1);
    const cell = this.cell();
    this.stop = cell ?? this.scroll;
    this.stop.tabIndex = 0;
  }

  focusin(event) {
    const cell = event.target.closest("td, th");
    const place = cell?.closest("tr");
    if (!place) return;
    const row = place.dataset.index === undefined ? -1 : Number(place.dataset.index);
    this.active = { row, col: cell.cellIndex };
    this.rove();
  }

  /** Goes to a row, brings it into sight, and puts the focus there. */
  move(row, col = this.active.col) {
    row = Math.max(-1, Math.min(row, this.found - 1));
    this.active = { row, col };
    if (row >= 0) {
      const head = this.table.tHead.offsetHeight;
      const top = row * this.height, room = this.scroll.clientHeight - head;
      if (top < this.scroll.scrollTop) this.scroll.scrollTop = top;
      else if (top + this.height > this.scroll.scrollTop + room) this.scroll.scrollTop = top + this.height - room;
    }
    this.render();
    (this.cell() ?? this.scroll).focus({ preventScroll: true });
  }

  focus(name) {
    let row = this.active.row;
    if (name !== undefined) {
      const found = this.pages.get(0)?.data.texts.findIndex((text) => (typeof text === "string" ? text : text[0]) === name);
      if (found >= 0) row = found; // else it is further down: stay where one was
    }
    this.move(Math.max(0, row), 1);
  }

  sideways(step) {
    let col = this.active.col;
    do col += step;
    while (this.heads[col] && this.heads[col].offsetParent === null);
    if (this.heads[col]) this.move(this.active.row, col);
  }

  key(event) {
    if (event.target.closest(".name-edit")) return;
    const { row } = this.active;
    const wide = event.ctrlKey || event.metaKey;
    const many = Math.max(1, Math.floor(this.scroll.clientHeight / this.height) - 2);
    const steps = { ArrowDown: row + 1, ArrowUp: row - 1, PageDown: row + many, PageUp: Math.max(0, row - many) };
    if (wide && event.key === "Home") steps.Home = 0;
    if (wide && event.key === "End") steps.End = this.found - 1;
    if (event.altKey) return;
    if (event.key in steps) {
      if (event.shiftKey) this.pickRange(Math.max(0, steps[event.key]));
      else this.move(steps[event.key]);
    } else if (event.key === "ArrowRight") this.sideways(1);
    else if (event.key === "ArrowLeft") this.sideways(-1);
    else if (event.key === "Home") this.move(row, 0);
    else if (event.key === "End") { this.active.col = this.heads.length; this.sideways(-1); }
    else if (event.key === " ") row < 0 ? this.press() : this.toggle(row);
    else if (wide && event.key.toLowerCase() === "a") this.pickEverything(true);
    else if (event.key === "Escape") { if (!this.pickedCount) return; this.pickEverything(false); }
    else if (event.key === "Enter") row < 0 ? this.press() : this.open(row);
    else if (event.key === "Backspace") this.page.up(this);
    else if (event.key === "F2") this.rename(row);
    else if (event.key === "Delete") this.form.querySelector("[formaction$='/delete/']").click();
    else return;
    event.preventDefault();
  }

  press() {
    const head = this.heads[this.active.col];
    if (head.dataset.order) this.sortBy(head.dataset.order);
    else this.pickEverything(this.pickedCount === 0);
  }

  open(index) {
    const row = this.row(index);
    if (!row) return;
    const path = row.isFolder ? this.inner(row.name) : null;
    const address = this.leadsTo(row);
    if (path !== null) this.page.go(this.page.opening(this.side, path), { side: this.side });
    else if (address !== null) { this.page.remembered.keep(true); window.location.assign(address); }
    else this.page.say(row.isFolder ? "A folder of this name cannot be opened here. Rename it first." : `${inertText(row.name)} is no folder`);
  }

  click(event) {
    const head = event.target.closest("th[data-order]");
    const link = event.target.closest("a");
    if (head && link) {
      event.preventDefault();
      this.active = { row: -1, col: head.cellIndex };
      this.sortBy(head.dataset.order);
      return;
    }
    const place = event.target.closest("tr[data-index]");
    if (!place) return;
    const index = Number(place.dataset.index), row = this.row(index);
    if (!row || event.target.closest(".name-edit")) return;
    const wide = event.ctrlKey || event.metaKey;
    if (link && !wide && !event.shiftKey && event.button === 0) {
      event.preventDefault();
      this.open(index);
      return;
    }
    if (link && !event.shiftKey) return;
    if (event.shiftKey) { event.preventDefault(); this.move(this.active.row); this.pickRange(index); return; }
    const isBox = event.target.matches("input") || event.target.closest(".pick");
    if (isBox || wide) this.toggle(index);
    this.move(index, event.target.closest("td").cellIndex);
  }

  doubleClick(event) {
    const place = event.target.closest("tr[data-index]");
    if (place && !event.target.closest("a, input")) this.open(Number(place.dataset.index));
  }

  // --- what is picked

  resetPicked(count) {
    this.picked = new Uint8Array(count);
    this.pickedCount = 0;
    this.pickedBytes = 0;
  }

  set(number, size, on) {
    if ((this.picked[number] === 1) === on) return;
    this.picked[number] = on ? 1 : 0;
    this.pickedCount += on ? 1 : -1;
    this.pickedBytes += on ? size : -size;
  }

  toggle(index) {
    const row = this.row(index);
    if (!row) return;
    this.set(row.number, fileSize(row), this.picked[row.number] !== 1);
    this.anchor = index;
    this.showPicked(true);
  }

  /** All between the last one that was picked and this one. */
  async pickRange(to) {
    const end = Math.min(to, this.found - 1);
    if (this.picked.length && !this.pickedCount) this.anchor = Math.max(0, this.active.row);
    const [from, till] = [Math.min(this.anchor, end), Math.max(this.anchor, end) + 1];
    this.move(end);
    await this.pickBetween(from, till);
  }

  async pickEverything(on) {
    if (!on) this.resetPicked(this.picked.length);
    else await this.pickBetween(0, this.found);
    this.showPicked(true);
  }

  async pickBetween(from, till) {
    let index = from;
    for (; index < till; index += 1) {
      const row = this.row(index);
      if (!row) break;
      this.set(row.number, fileSize(row), true);
    }
    if (index < till) {
      const data = await this.page.ask(`${this.form.dataset.numbers}?${this.query({ from: index, to: till })}`, this);
      if (!data || data.stamp !== this.stamp) return;
      data.numbers.forEach((number, at) => this.set(number, data.sizes[at], true));
    }
    this.showPicked(true);
  }

  showPicked(says = false) {
    this.usual ??= this.summary.textContent;
    const count = this.pickedCount;
    const words = count ? `${counted(count)} selected${this.pickedBytes ? `, ${humanSize(this.pickedBytes)}` : ""}` : this.usual;
    this.summary.textContent = words;
    this.pickAll.checked = count > 0 && count >= this.picked.length;
    this.pickAll.indeterminate = count > 0 && count < this.picked.length;
    this.pickAll.setAttribute("aria-label", "Select all");
    for (const [index, element] of this.rows) {
      const row = this.row(index);
      if (!row) continue;
      const on = this.picked[row.number] === 1;
      element.setAttribute("aria-selected", on);
      element.cells[0].firstChild.checked = on;
    }
    for (const button of this.form.querySelectorAll("[data-needs-pick]")) {
      const fits = button.dataset.needsPick === "one" ? count === 1 : count > 0;
      button.disabled = !fits;
    }
    if (says) this.page.say(count ? words : "Nothing selected");
    this.page.remembered.keep();
  }

  /** A bit for each entry, as base64 for addresses. */
  selection() {
    const bytes = new Uint8Array(Math.ceil(this.picked.length / 8));
    this.picked.forEach((on, number) => { if (on) bytes[number >> 3] |= 1 << (number & 7); });
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  }

  /** For ``remembering``; nothing when nothing is picked. */
  remembered() {
    if (this.kept || !this.pickedCount) return this.kept;
    return { ...this.place(), selection: this.selection(), bytes: this.pickedBytes };
  }

  place() { return { id: this.id, path: this.path, hidden: this.hidden, stamp: this.stamp }; }

  /** What was picked when the page was left, if the folder is as it was. */
  pickAgain() {
    const kept = this.kept;
    this.kept = null;
    if (!kept || Object.entries(this.place()).some(([name, value]) => kept[name] !== value)) return;
    const bytes = atob(kept.selection.replaceAll("-", "+").replaceAll("_", "/"));
    for (let number = 0; number < this.picked.length; number += 1)
      if (bytes.charCodeAt(number >> 3) & (1 << (number & 7))) this.set(number, 0, true);
    this.pickedBytes = kept.bytes;
  }

  submit(event) {
    if (event.submitter?.matches("[formaction$='/rename/']") && this.pickedCount === 1) {
      const index = [...this.rows.keys()].find((each) => this.picked[this.row(each)?.number] === 1);
      if (index !== undefined) {
        event.preventDefault();
        delete this.form.dataset.sent;
        this.rename(index);
        return;
      }
    }
    this.fill(this.page.other(this.side));
  }

  /** Puts what is picked, and where it may go, into the fields of the form. */
  fill({ id = "", path = "" } = {}) {
    this.field("selection").value = this.pickedCount ? this.selection() : "";
    this.field("stamp").value = this.stamp;
    this.field("destination_id").value = id;
    this.field("destination_path").value = path;
    this.field("back").value = location.pathname + location.search;
    this.page.remembered.keep(true);
  }

  // --- order and filter

  async sortBy(order) {
    const now = this.view.sort;
    const sort = now === order ? `-${order}` : order;
    const head = this.heads.find((each) => each.dataset.order === order);
    await this.show({ sort }, `Sorted by ${head?.textContent.trim() ?? order}, ${sort.startsWith("-") ? "descending" : "ascending"}`);
  }

  /** Another order or filter of the same folder; what is picked stays picked. */
  async show(changes, words) {
    const before = { view: this.view, pages: this.pages };
    this.view = { ...this.view, ...changes };
    this.turn += 1;
    this.pages = new Map();
    this.form.closest("[data-pane]").setAttribute("aria-busy", "true");
    const turn = this.turn;
    const came = await this.load(0);
    if (turn !== this.turn) return;
    this.form.closest("[data-pane]").removeAttribute("aria-busy");
    if (!came) { Object.assign(this, before); return; }
    this.page.remember(this.side, { sort: this.view.sort === "name" ? "" : this.view.sort, filter: this.view.filter, kind: this.view.kind, offset: "" });
    this.field("filter").value = this.view.filter;
    this.field("kind").value = this.view.kind;
    this.showOrder();
    this.clear();
    this.scroll.scrollTop = 0;
    if (this.active.row >= 0) this.active.row = 0;
    this.anchor = 0;
    const narrows = this.view.filter || this.view.kind;
    this.usual = narrows ? `${counted(this.found)} of ${counted(this.picked.length)} entries fit` : `${counted(this.found)} entries`;
    if (this.bytes) this.usual += `, ${humanSize(this.bytes)} in files`;
    this.render();
    this.showPicked();
    if (this.table.contains(document.activeElement)) this.cell()?.focus({ preventScroll: true });
    if (this.lost) this.page.say(LOST);
    else this.page.say(words ?? this.usual);
    this.lost = 0;
  }

  showOrder() {
    const { sort } = this.view;
    for (const head of this.heads) {
      const { order } = head.dataset;
      if (!order) continue;
      const direction = sort === order ? "ascending" : sort === `-${order}` ? "descending" : "";
      direction ? head.setAttribute("aria-sort", direction) : head.removeAttribute("aria-sort");
      const link = head.querySelector("a");
      const sign = icon(direction === "ascending" ? "sort-up" : direction ? "sort-down" : "sort");
      link.querySelector(".unsorted")?.remove();
      link.querySelector("svg")?.remove();
      if (direction) link.append(sign);
      else {
        const faint = document.createElement("span");
        faint.className = "unsorted";
        faint.append(sign);
        link.append(faint);
      }
    }
  }

  // --- another name, in place

  rename(index) {
    const row = this.row(index);
    const element = this.rows.get(index);
    if (!row || !element) return;
    const cell = element.cells[1];
    const field = document.createElement("input");
    field.className = "form-control name-edit";
    field.value = row.name;
    const before = field.value; // a field has no line breaks; what is not changed stays
    field.setAttribute("aria-label", `New name for ${inertText(row.name)}`);
    field.spellcheck = false;
    cell.replaceChildren(field);
    element.draggable = false;
    field.focus();
    const end = row.name.lastIndexOf(".");
    field.setSelectionRange(0, end > 0 && !row.isFolder ? end : row.name.length);
    let isOver = false;
    const over = (name) => {
      if (isOver) return;
      isOver = true;
      this.drop(index);
      this.render();
      this.focus(name);
    };
    field.addEventListener("keydown", async (event) => {
      event.stopPropagation();
      if (event.key === "Escape") { event.preventDefault(); this.active = { row: index, col: 1 }; over(); }
      if (event.key !== "Enter") return;
      event.preventDefault();
      if (field.value === before) { over(); return; }
      const name = field.value;
      if (await this.sendName(row, name)) {
        isOver = true;
        await this.again();
        this.focus(name);
        this.page.say(`Renamed to ${inertText(name)}`);
      } else if (field.isConnected) { field.setAttribute("aria-invalid", "true"); field.focus(); }
    });
    field.addEventListener("blur", () => setTimeout(() => { if (field.isConnected && document.activeElement !== field && field.value === before) over(); }, 0));
  }

  async sendName(row, name) {
    const body = new URLSearchParams({
      csrfmiddlewaretoken: this.field("csrfmiddlewaretoken").value,
      origin_id: this.id, origin_path: this.path, hidden: this.hidden,
      stamp: this.stamp, pick: row.number, name, do: "rename",
      back: location.pathname + location.search,
    });
    return (await this.page.ask(this.form.dataset.rename, this, { method: "POST", body })) !== null;
  }

  /** The folder has changed by our hand: its rows once more. */
  async again() {
    this.turn += 1;
    this.pages.clear();
    this.clear();
    await this.load(0);
    this.render();
    this.showPicked();
  }

  // --- to the other pane

  dragstart(event) {
    const place = event.target.closest?.("tr[data-index]");
    const row = place && this.row(Number(place.dataset.index));
    if (!row) return;
    if (this.picked[row.number] !== 1) {
      this.resetPicked(this.picked.length);
      this.toggle(Number(place.dataset.index));
    }
    event.dataTransfer.effectAllowed = "copy";
    event.dataTransfer.setData("text/plain", inertText(row.name));
    this.page.dragged = this;
  }

  /** Opens the form of a transfer with what is picked. */
  transferTo(place) {
    this.fill(place);
    HTMLFormElement.prototype.submit.call(this.form);
  }
}
