// What is picked in the panes, kept for who comes back to the page.
//
// It stays with the entry of the browser's history, so that "Back" finds it, from a form
// as from another folder; our pages are in no cache. On the way through a sign-in, which
// comes back by a new entry, it waits in the tab, for the same person and address.

const AWAY = "picked";
const here = () => location.pathname + location.search;
const person = () => document.querySelector("meta[name=notices]")?.dataset.person ?? "";

function arrived() {
  const text = sessionStorage.getItem(AWAY);
  if (text === null) return null;
  sessionStorage.removeItem(AWAY);
  const away = JSON.parse(text);
  return away.person === person() && away.here === here() ? away.picked : null;
}

/** Of each side: where, of which listing, and what, as ``Grid.remembered`` says it. */
export function remembering(grids) {
  let from = arrived(), waiting, left = false;

  const picked = () => {
    const found = {};
    for (const grid of grids()) {
      const each = grid.remembered();
      if (each) found[grid.side] = each;
    }
    return found;
  };
  const put = () => {
    clearTimeout(waiting);
    history.replaceState({ picked: picked() }, "");
  };

  return {
    of: (side) => (from ?? history.state?.picked)?.[side] ?? null,
    /** Browsers take so many of these in ten seconds; ``now`` before the page is left. */
    keep(now = false) {
      clearTimeout(waiting);
      from = null;
      if (left) return;
      if (now) put();
      else waiting = setTimeout(put, 250);
    },
    /** The entry of the history is another one already: what is picked is not its. */
    forget() { clearTimeout(waiting); left = true; },
    /** The page of the entry is shown: what is picked is its again. */
    shows() { left = false; },
    /** The session is over: the page is left by us, for a sign-in. */
    take() {
      sessionStorage.setItem(AWAY, JSON.stringify({ person: person(), here: here(), picked: picked() }));
    },
  };
}
