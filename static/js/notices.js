// Tells of what happened while a page of the portal is open. It asks only after the person
// has switched it on in this browser; without this script there is mail, and no button.

const about = document.querySelector("meta[name='notices']");
const WISH = "causeway-notices";
const LOOKED = "causeway-notices-looked";
const EVERY = 20_000; // milliseconds
const canTell = about && "Notification" in window && "locks" in navigator;

const isOn = () =>
  Notification.permission === "granted" && localStorage.getItem(WISH) === about.dataset.person;

/** One tab at a time, and one look for all of them. */
function look() {
  if (!isOn() || Date.now() - Number(localStorage.getItem(LOOKED)) < EVERY * 0.9) return;
  navigator.locks.request(WISH, { ifAvailable: true }, async (lock) => {
    if (!lock) return;
    localStorage.setItem(LOOKED, String(Date.now()));
    try {
      await fetchAndShow();
    } catch (error) {
      // The network is away, or the page is being left; the next look comes.
      if (!(error instanceof TypeError) && error.name !== "AbortError") throw error;
    }
  });
}

async function fetchAndShow() {
  const answer = await fetch(about.content, { redirect: "manual" });
  if (answer.status !== 200) return;
  const { news } = await answer.json();
  // Those with the same tag replace each other, should another tab die half way.
  for (const each of news) tell(each.says, each.id, each.path);
  const told = new FormData();
  told.set("csrfmiddlewaretoken", document.querySelector("[name=csrfmiddlewaretoken]").value);
  for (const each of news) told.append("id", each.id);
  // Kept alive: a tab that is left in this moment must not have it told once more.
  const form = { method: "POST", body: told, redirect: "manual", keepalive: true };
  await fetch(about.dataset.shown, form);
}

function tell(says, tag, path) {
  const notice = new Notification("Causeway", { body: says, tag });
  notice.onclick = () => {
    window.focus();
    if (path) location.assign(path);
  };
}

/** The panel of the settings: what is so in this browser, and the button. */
function settings(panel) {
  const [says, button] = [panel.querySelector("[role=status]"), panel.querySelector("button")];
  const shown = () => {
    const refused = Notification.permission === "denied";
    button.hidden = refused;
    button.textContent = isOn() ? "Switch off in this browser" : "Switch on in this browser";
    says.textContent = refused
      ? "This browser refuses them for this site. Its settings can change that."
      : isOn()
        ? "Switched on in this browser."
        : "Switched off in this browser.";
  };
  button.addEventListener("click", async () => {
    if (isOn()) localStorage.removeItem(WISH);
    else if ((await Notification.requestPermission()) === "granted")
      localStorage.setItem(WISH, about.dataset.person);
    shown();
  });
  shown();
}

if (canTell) {
  const panel = document.getElementById("in-browser");
  if (panel) settings(panel);
  look();
  setInterval(look, EVERY);
}
