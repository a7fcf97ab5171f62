// Files go up one by one, with their progress. Without this the form does it.

const AT_ONCE = 2;
const announcer = document.getElementById("announcer");
const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"];

function sizeWords(bytes) {
  if (bytes === 1) return "1 byte";
  let [value, unit] = [bytes, 0];
  while (value >= 1024 && unit < UNITS.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${unit ? value.toFixed(1) : value} ${UNITS[unit]}`;
}

class Upload {
  constructor(form, file) {
    this.form = form;
    this.file = file;
    const template = form.querySelector("template[data-upload-row]");
    this.row = template.content.firstElementChild.cloneNode(true);
    this.bar = this.row.querySelector("progress");
    this.row.querySelector("[data-name]").textContent = file.name;
    this.row.querySelector("[data-size]").textContent = sizeWords(file.size);
    this.bar.setAttribute("aria-label", `Progress of ${file.name}`);
    for (const button of this.row.querySelectorAll("[data-do]")) {
      button.setAttribute("aria-label", `${button.textContent}: ${file.name}`);
      button.addEventListener("click", () => this[button.dataset.do]());
    }
    this.state = "waits";
  }

  show(state, words, ...buttons) {
    this.state = state;
    this.row.dataset.state = state;
    this.row.querySelector("[data-words]").textContent = words;
    const held = this.row.contains(document.activeElement);
    for (const button of this.row.querySelectorAll("[data-do]"))
      button.hidden = !buttons.includes(button.dataset.do);
    this.bar.className = `slim ${{ done: "is-ok", failed: "is-bad", there: "is-warn" }[state] || ""}`;
    if (held && document.activeElement.hidden !== false)
      (this.row.querySelector("[data-do]:not([hidden])") || this.form.querySelector("input[type=file]")).focus();
    if (["done", "failed", "there"].includes(state) && announcer)
      announcer.textContent = `${this.file.name}: ${words}`;
  }

  send(replace, after) {
    this.after = after;
    const largest = Number(this.form.dataset.largest);
    if (largest && this.file.size > largest) {
      this.show("failed", `Larger than the ${sizeWords(largest)} that this portal takes. Use a transfer.`);
      return after();
    }
    const query = new URLSearchParams({ name: this.file.name });
    if (replace) query.set("replace", "yes");
    const request = (this.request = new XMLHttpRequest());
    request.open("PUT", `${this.form.dataset.upload}&${query}`);
    request.setRequestHeader("X-CSRFToken", this.form.elements.csrfmiddlewaretoken.value);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable && event.total) this.bar.value = (100 * event.loaded) / event.total;
      if (this.state === "moves" && event.loaded === event.total) this.show("moves", "The collection stores it", "cancel");
    });
    request.addEventListener("load", () => this.answered(request));
    request.addEventListener("error", () => this.over("failed", "The connection broke off. Nothing was stored.", "again"));
    request.addEventListener("abort", () => this.over("stopped", "Cancelled", "again"));
    this.show("moves", "Goes up", "cancel");
    request.send(this.file);
  }

  answered(request) {
    let answer;
    try {
      answer = JSON.parse(request.responseText);
    } catch {
      return this.over("failed", "The portal gave no answer to this. Reload the page; you may have to sign in again.", "again");
    }
    if (request.status === 201) {
      this.bar.value = 100;
      return this.over("done", "Uploaded");
    }
    if (answer.is_there) return this.over("there", answer.sentence, "replace", "cancel");
    if (answer.needs_page) return this.over("failed", `${answer.sentence} Reload the page to go on.`);
    return this.over("failed", answer.sentence || "It was not stored.", "again");
  }

  over(state, words, ...buttons) {
    this.request = null;
    if (state !== "done") this.bar.value = 0;
    this.show(state, words, ...buttons);
    this.after();
  }

  cancel() {
    if (this.request) this.request.abort();
    else this.show("stopped", this.state === "there" ? "The file there was kept" : "Cancelled", "again");
  }

  again() {
    this.show("waits", "Waits", "cancel");
    this.form.dispatchEvent(new Event("upload-go"));
  }

  replace() {
    this.replaces = true;
    this.again();
  }
}

/** Whether something that is dragged brings files from the computer. */
export const bringsFiles = (event) => [...(event.dataTransfer?.types || [])].includes("Files");

/** What was dropped, without folders. */
export function filesOf(event) {
  const items = [...event.dataTransfer.items].filter((each) => each.kind === "file");
  const isFolder = (each) => each.webkitGetAsEntry?.()?.isDirectory;
  if (items.some(isFolder) && announcer) announcer.textContent = "Folders are left out. Use a transfer for them.";
  return items.filter((each) => !isFolder(each)).map((each) => each.getAsFile()).filter(Boolean);
}

/** Makes the form send its files by itself; ``add(files)`` sends more. Says “upload-over” when all are through. */
export function uploading(form) {
  const input = form.querySelector("input[type=file]");
  const list = form.querySelector("[data-upload-list]");
  const drop = form.querySelector("[data-upload-drop]");
  const words = form.querySelector("[data-upload-words]");
  const uploads = [];
  form.querySelector("[data-upload-plain]").hidden = true;
  words.textContent = words.dataset.uploadWords;
  input.required = false;

  const go = () => {
    const moving = uploads.filter((each) => each.state === "moves").length;
    const [next] = uploads.filter((each) => each.state === "waits");
    if (!next && !moving) form.dispatchEvent(new Event("upload-over", { bubbles: true }));
    if (!next || moving >= AT_ONCE) return;
    next.send(next.replaces, go);
    go();
  };
  const add = (files) => {
    for (const file of files) {
      const upload = new Upload(form, file);
      uploads.push(upload);
      list.append(upload.row);
    }
    list.hidden = !uploads.length;
    go();
  };
  form.addEventListener("upload-go", go);
  form.addEventListener("submit", (event) => event.preventDefault());
  input.addEventListener("change", () => {
    add([...input.files]);
    input.value = "";
  });

  let inside = 0;
  const mark = (by) => {
    inside = by ? Math.max(0, inside + by) : 0;
    drop.classList.toggle("is-over", inside > 0);
  };
  // A file that misses the field must not replace the page.
  for (const name of ["dragover", "drop"])
    window.addEventListener(name, (event) => bringsFiles(event) && event.preventDefault());
  drop.addEventListener("dragenter", (event) => bringsFiles(event) && mark(1));
  drop.addEventListener("dragleave", (event) => bringsFiles(event) && mark(-1));
  drop.addEventListener("drop", (event) => {
    mark(0);
    if (bringsFiles(event)) add(filesOf(event));
  });
  return add;
}

document.querySelectorAll("form[data-upload]").forEach(uploading);
