// Files from the desktop that are dropped on a pane go up into its folder.
//
// The link "Upload" of the pane does the same on a page of its own, and it is that page's
// form which is fetched here: with it comes everything that may be in the way.

import { bringsFiles, filesOf, uploading } from "./upload.js";

const place = document.getElementById("dropped");
const lists = new Map(); // address of the upload page -> the function that adds files, soon
let panels = 0;

/** The form of an upload page, in a panel below the panes; null if there is none.
 *
 * One for all drops, also for those that come while it is fetched.
 */
function listFor(address) {
  if (!lists.has(address)) {
    const list = panelFor(address, () => { if (lists.get(address) === list) lists.delete(address); });
    lists.set(address, list);
  }
  return lists.get(address);
}

async function panelFor(address, forget) {
  const panel = place.querySelector("template").content.firstElementChild.cloneNode(true);
  const link = panel.querySelector("a");
  link.href = address;
  let form = null, title = "";
  try {
    const response = await fetch(address);
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    form = fresh.querySelector("form[data-upload]");
    title = fresh.querySelector("h1")?.textContent.trim() ?? "";
    panel.querySelector("h2").textContent = form ? fresh.querySelector("[data-upload-title]").textContent : "Nothing was uploaded";
  } catch {
    panel.querySelector("h2").textContent = "The portal did not answer";
  }
  panel.querySelector("button").addEventListener("click", () => { panel.remove(); forget(); });
  place.append(panel);
  if (!form) {
    forget();
    panel.querySelector("p").textContent = title ? `${title}. The page for uploads says more.` : "Nothing is lost; try again in a moment.";
    panel.querySelector("p").setAttribute("role", "alert");
    link.hidden = !title;
    return null;
  }
  panel.querySelector(".panel-body").replaceChildren(document.adoptNode(form));
  onlyOnce(form, panels++);
  return uploading(form);
}

/** Names of elements stand once in a page; there may be several of these forms. */
function onlyOnce(form, number) {
  for (const each of form.querySelectorAll("[id]")) each.id += `-${number}`;
  for (const name of ["for", "aria-describedby"])
    for (const each of form.querySelectorAll(`[${name}]`)) each.setAttribute(name, `${each.getAttribute(name)}-${number}`);
}

/** @param page what is pointed at, how it is marked, and how a folder is shown anew */
export function dropping({ placeAt, mark, again }) {
  if (!place) return;
  const over = (event) => {
    const section = event.target.closest?.("[data-pane]");
    return bringsFiles(event) && section?.dataset.upload ? placeAt(event, section) : null;
  };
  document.addEventListener("dragover", (event) => {
    if (!bringsFiles(event)) return;
    // A file that misses the pane must not replace the page.
    event.preventDefault();
    const found = over(event);
    mark(found?.element);
    event.dataTransfer.dropEffect = found ? "copy" : "none";
  });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) mark(null); });
  document.addEventListener("drop", async (event) => {
    if (!bringsFiles(event)) return;
    event.preventDefault();
    const found = over(event);
    mark(null);
    if (!found) return;
    const files = filesOf(event); // gone once this turn is over
    if (!files.length) return;
    const address = new URL(found.section.dataset.upload, location.href);
    address.searchParams.set("path", found.place.path);
    const add = await listFor(address.href);
    add?.(files);
  });
  place.addEventListener("upload-over", (event) => {
    const form = event.target;
    if (form.querySelector("[data-state=done]:not([data-shown])")) again(form.dataset.collection);
    for (const row of form.querySelectorAll("[data-state=done]")) row.dataset.shown = "";
  });
}
