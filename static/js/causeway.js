// Small conveniences. Every page works without them.

const announcer = document.getElementById("announcer");

/** Times in the person's own zone; the page itself says them in UTC. */
function localTimes(root) {
  const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (!Number.isNaN(moment.valueOf())) time.title = exact.format(moment);
  }
}

/** Says a changed state once, however often its numbers are refreshed. */
function announce(root) {
  const part = root.matches("[data-announce]") ? root : root.querySelector("[data-announce]");
  const said = part?.dataset.announce;
  if (announcer && said && announcer.textContent !== said) announcer.textContent = said;
}

/** An open menu closes on Escape and on a click elsewhere. */
function menus() {
  const open = () => document.querySelectorAll("details[data-menu][open]");
  document.addEventListener("click", (event) => {
    for (const menu of open()) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of open()) {
      const held = menu.contains(document.activeElement);
      menu.open = false;
      if (held) menu.querySelector("summary").focus();
    }
  });
}

/** The zone that times of a form are meant in, as long as nobody wrote another. */
function ownZone() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  for (const field of document.querySelectorAll("input[data-zone]")) {
    if (!zone || field.value !== field.defaultValue || field.value !== "UTC") continue;
    // What the form shows already is the same moment by other clocks. A field that the
    // browser filled in again holds what the person wrote.
    const times = [...field.form.querySelectorAll("input[data-moment]")];
    if (times.some((time) => time.value !== time.defaultValue)) continue;
    for (const time of times) time.value = byOwnClock(new Date(time.dataset.moment));
    field.value = zone;
  }
}

/** As a field for a date and a time wants it. */
function byOwnClock(moment) {
  const two = (number) => String(number).padStart(2, "0");
  const day = [moment.getFullYear(), two(moment.getMonth() + 1), two(moment.getDate())];
  return `${day.join("-")}T${two(moment.getHours())}:${two(moment.getMinutes())}`;
}

/** A link to the same page in the person's own zone. */
function ownZoneLink() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  for (const link of document.querySelectorAll("a[data-own-zone]")) {
    if (!zone || zone === link.dataset.ownZone) continue;
    const address = new URL(link.href);
    address.searchParams.set("zone", zone);
    link.href = address;
    link.textContent = `In ${zone}`;
    link.hidden = false;
  }
}

/** A button that copies the text beside it; the text can be picked without it, too. */
function copying(root) {
  for (const button of root.querySelectorAll("button[data-copy-beside]")) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    button.onclick = async () => {
      const text = button.parentElement.querySelector("[data-copy-text]").textContent;
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
      if (announcer) announcer.textContent = "Copied";
    };
  }
}

/** A form that is on its way is not sent twice. */
function sendOnce() {
  document.addEventListener("submit", (event) => {
    if (event.target.dataset.sent) event.preventDefault();
    // A download leaves the page as it is, to be used again.
    else if (event.target.method === "post" && !event.submitter?.matches("[data-stays]"))
      event.target.dataset.sent = "yes";
  });
  // A page that comes back from the browser's memory may be used again.
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });
}

const NO_ANSWER = "The portal did not answer. Nothing that stands here is lost; please try again.";
// Not you, not this form, not there: what a page of its own says, and how to go on
const FOR_A_PAGE = [401, 403, 404];
const LATER = "This could not be looked at. Nothing that stands here is lost: go on, and the next page says why.";

/** A part of a form that is fetched never stays out in silence.
 *
 * Where the sign-in, the form's token or the thing itself has gone, a button sends the whole
 * form as it does without script: its page keeps what was filled in. What may work in a
 * minute is said beside the button, or below what looks while somebody writes.
 */
function unanswered() {
  const failed = ({ detail: { elt, xhr } }) => {
    if (!elt.isConnected || !elt.matches("[hx-post]")) return;
    const needsPage = FOR_A_PAGE.includes(xhr.status);
    if (needsPage && elt.type === "submit") elt.form.requestSubmit(elt);
    else sayBeside(elt, needsPage ? LATER : wordsOf(xhr.responseText));
  };
  document.addEventListener("htmx:sendError", failed);
  // Not "responseError": a button may still be switched off then, and a form that is sent
  // by such a one does not say what it is to do.
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.xhr.status >= 400) failed(event);
  });
  document.addEventListener("htmx:beforeRequest", ({ detail: { elt } }) => besides(elt)?.remove());
}

/** What the part of a page says that came with a failure; other answers are a proxy's. */
function wordsOf(html) {
  const notice = new DOMParser().parseFromString(html, "text/html").querySelector(".notice[role=alert]");
  const lines = [...(notice?.querySelectorAll(".notice-title, .notice-title + p") ?? [])];
  return lines.map((line) => line.textContent.trim()).join(". ") || NO_ANSWER;
}

const besides = (button) => document.querySelector(`[data-unanswered="${CSS.escape(button.id)}"]`);

function sayBeside(button, words) {
  const box = document.createElement("div");
  box.className = "finding finding-bad mt-3 mb-0";
  box.role = "alert";
  box.dataset.unanswered = button.id;
  box.textContent = words;
  (button.closest(".row-form, .actions") ?? button).after(box);
}

// milliseconds; of a release outside the window, or in a menu, the page may never hear
const LONGEST_PRESS = 20_000;

/** What brings itself up to date leaves people to what they do in it.
 *
 * A link or a button that is replaced between press and release (of a key, too) is not
 * clicked, so that waits for the next look, a few seconds later. What was unfolded stays
 * so, and what was scrolled stays where it was.
 */
function undisturbed() {
  let pressed = null, since = 0, unfolded = [], scrolled = [];
  const isHeld = (part) => pressed && part.contains(pressed) && performance.now() - since < LONGEST_PRESS;
  for (const name of ["pointerdown", "keydown"])
    document.addEventListener(name, (event) => { if (!event.repeat) [pressed, since] = [event.target, performance.now()]; });
  for (const name of ["pointerup", "pointercancel", "keyup"]) document.addEventListener(name, () => { pressed = null; });
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    if (!detail.elt.getAttribute("hx-trigger")?.startsWith("every ")) return;
    if (isHeld(detail.target)) detail.shouldSwap = false;
    else {
      unfolded = [...detail.target.querySelectorAll("details[open][id]")].map((each) => each.id);
      scrolled = [...detail.target.querySelectorAll(".scroll[id]")].map(({ id, scrollTop, scrollLeft }) => [id, { scrollTop, scrollLeft }]);
    }
  });
  document.addEventListener("htmx:afterSwap", () => {
    for (const id of unfolded.splice(0)) document.getElementById(id)?.setAttribute("open", "");
    for (const [id, place] of scrolled.splice(0)) Object.assign(document.getElementById(id) ?? {}, place);
  });
}

localTimes(document);
menus();
undisturbed();
unanswered();
ownZone();
ownZoneLink();
sendOnce();
copying(document);
// What Globus had stopped goes on without one more click.
document.querySelector("form[data-go-on]")?.requestSubmit();
document.addEventListener("htmx:afterSettle", (event) => {
  localTimes(event.target);
  copying(event.target.parentElement ?? document);
  announce(event.target);
});
