// What a look at a page finds wrong with it; each function returns a list.
({
  /** Targets under 24 by 24 CSS pixels (WCAG 2.5.8). */
  smallTargets() {
    const found = [];
    for (const each of document.querySelectorAll("button, .btn, summary, select, .tabs a")) {
      const box = each.getBoundingClientRect();
      const hidden = each.matches(".visually-hidden") || !each.checkVisibility();
      if (!hidden && (box.width < 24 || box.height < 24)) found.push(each.outerHTML);
    }
    return found;
  },

  /** Texts too little apart from what is behind them (WCAG 1.4.3). */
  lowContrast() {
    const parse = (colour) => (colour.match(/[\d.]+/g) || []).map(Number);
    const channel = (value) => {
      const share = value / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    };
    const light = ([red, green, blue]) =>
      0.2126 * channel(red) + 0.7152 * channel(green) + 0.0722 * channel(blue);
    const behind = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const [red, green, blue, alpha = 1] = parse(getComputedStyle(at).backgroundColor);
        if (alpha > 0.9) return [red, green, blue];
      }
      return parse(getComputedStyle(document.body).backgroundColor);
    };
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const element = walker.currentNode.parentElement;
      const text = walker.currentNode.textContent.trim();
      if (!text || !element.checkVisibility() || element.closest("[disabled], .skip")) continue;
      const style = getComputedStyle(element);
      const [a, b] = [light(parse(style.color)), light(behind(element))];
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      const size = parseFloat(style.fontSize);
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      if (ratio < (large ? 3 : 4.5)) found.push([text, style.color, ratio.toFixed(2)]);
    }
    return found;
  },

  /** Names, headings, landmarks and references that are missing or wrong. */
  structure() {
    const wrong = [];
    const named = (element) =>
      element.labels?.length || element.getAttribute("aria-label") ||
      element.getAttribute("aria-labelledby") || element.innerText?.trim() ||
      element.querySelector("svg[aria-label]");
    const shown = (element) => element.checkVisibility();
    if (document.querySelectorAll("h1").length !== 1) wrong.push("not one h1");
    if (document.querySelectorAll("main").length !== 1) wrong.push("not one main");
    let last = 1;
    for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
      const level = Number(heading.tagName[1]);
      if (level > last + 1) wrong.push(`a level is left out before ${heading.innerText}`);
      last = level;
    }
    for (const each of document.querySelectorAll("a, button, input, select, summary")) {
      if (each.type === "hidden" || !shown(each)) continue;
      if (!named(each)) wrong.push(`without a name: ${each.outerHTML}`);
    }
    for (const each of document.querySelectorAll("[aria-labelledby], [aria-describedby]"))
      for (const name of ["aria-labelledby", "aria-describedby"])
        for (const id of (each.getAttribute(name) || "").split(" ").filter(Boolean))
          if (!document.getElementById(id)) wrong.push(`${name} leads nowhere: ${id}`);
    for (const table of document.querySelectorAll("table"))
      if (!table.querySelector("thead th[scope=col]")) wrong.push("a table without heads");
    for (const image of document.querySelectorAll("img:not([alt])"))
      wrong.push(`an image without words: ${image.src}`);
    for (const region of document.querySelectorAll("nav"))
      if (!region.getAttribute("aria-label")) wrong.push("a navigation without a name");
    const ids = [...document.querySelectorAll("[id]")].map((each) => each.id);
    if (new Set(ids).size !== ids.length) wrong.push("an id stands twice");
    return wrong;
  },
})
