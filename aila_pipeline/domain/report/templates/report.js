// Searching, sorting and opening. The page is whole without it.
"use strict";
const table = document.getElementById("table");
if (table) {
  const calls = [...table.tBodies];
  const search = document.getElementById("search");
  const only = document.getElementById("only");
  const toggle = document.getElementById("toggle");
  const shown = document.getElementById("shown");
  const texts = new Map();
  const textOf = (call) => {
    if (!texts.has(call)) texts.set(call, call.textContent.toLocaleLowerCase());
    return texts.get(call);
  };
  document.querySelector(".tools").hidden = false;

  const filter = () => {
    const wanted = search.value.trim().toLocaleLowerCase();
    let count = 0;
    for (const call of calls) {
      const fits = (!only.value || call.dataset.status === only.value) && (!wanted || textOf(call).includes(wanted));
      call.hidden = !fits;
      count += fits;
    }
    shown.textContent = count === calls.length ? "" : `${count} of ${calls.length} shown`;
  };
  search.addEventListener("input", filter);
  only.addEventListener("change", filter);

  toggle.addEventListener("click", () => {
    const open = toggle.getAttribute("aria-pressed") !== "true";
    toggle.setAttribute("aria-pressed", String(open));
    toggle.textContent = open ? "Close all" : "Open all";
    for (const call of calls) if (!call.hidden) call.querySelector("details").open = open;
  });

  const numeric = new Set(["position", "seconds", "talk", "score"]);
  const compare = new Intl.Collator(undefined, { numeric: true }).compare;
  for (const head of table.tHead.rows[0].cells) {
    const key = head.dataset.key;
    if (!key) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = (call) => call.dataset[key];
      calls.sort((a, b) => {
        // What has no value stays at the end, whichever way the rest is sorted.
        if (!value(a) || !value(b)) return (value(a) ? 0 : 1) - (value(b) ? 0 : 1);
        const order = numeric.has(key) ? value(a) - value(b) : compare(value(a), value(b));
        return up ? order : -order;
      });
      table.append(...calls);
    });
  }

  const openTarget = () => {
    const call = document.getElementById(location.hash.slice(1));
    if (call && call.matches("tbody")) {
      call.hidden = false;
      call.querySelector("details").open = true;
      call.scrollIntoView();
    }
  };
  addEventListener("hashchange", openTarget);
  openTarget();
}
