// Behaviour that several pages share: rows as links, relative times, confirmations, copying.
(function () {
  "use strict";

  // Rows of table[data-rows] lead where their first link leads; up, down, home and end move between those links.
  function rowLinks(table) {
    return [...table.querySelectorAll("tbody tr")].map((row) => row.querySelector("a[href]")).filter(Boolean);
  }

  document.addEventListener("click", (event) => {
    const row = event.target.closest("table[data-rows] tbody tr");
    if (!row || event.target.closest("a, button, input, label, select, summary")) return;
    if (String(window.getSelection())) return; // someone is copying a number out of the row
    const link = row.querySelector("a[href]");
    if (!link) return;
    if (event.metaKey || event.ctrlKey) window.open(link.href, "_blank", "noopener");
    else link.click();
  });

  document.addEventListener("keydown", (event) => {
    const table = document.querySelector("table[data-rows]");
    if (!table || event.altKey || event.ctrlKey || event.metaKey) return;
    const inTable = table.contains(document.activeElement);
    const links = rowLinks(table);
    if (!links.length || !["ArrowUp", "ArrowDown", "Home", "End"].includes(event.key)) return;
    const onPage = document.activeElement === document.body || document.activeElement.id === "main";
    if (!inTable && !(onPage && event.key === "ArrowDown")) return;
    const current = links.findIndex((link) => link.closest("tr").contains(document.activeElement));
    const target = { ArrowUp: current - 1, ArrowDown: current + 1, Home: 0, End: links.length - 1 }[event.key];
    const link = links[Math.max(0, Math.min(links.length - 1, target))];
    event.preventDefault();
    link.focus();
    link.closest("tr").scrollIntoView({ block: "nearest" });
  });

  // <time datetime title data-relative> shows how long ago it was; the exact time stays in the title.
  const UNITS = [["day", 86400], ["h", 3600], ["min", 60]];
  const LONG = { day: "day", h: "hour", min: "minute" };
  const language = document.documentElement.lang;
  const inWords = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
  function relative(seconds) {
    if (language !== "en") {
      const [unit, size] = UNITS.find((one) => seconds >= one[1] * 0.95) || ["", 0];
      return unit ? inWords.format(-Math.round(seconds / size), LONG[unit]) : inWords.format(0, "second");
    }
    if (seconds < 45) return "just now";
    for (const [unit, size] of UNITS) {
      const count = Math.round(seconds / size);
      if (seconds >= size * 0.95) return `${count} ${unit}${unit === "day" && count > 1 ? "s" : ""} ago`;
    }
    return "1 min ago";
  }
  function refreshTimes() {
    document.querySelectorAll("time[data-relative]").forEach((time) => {
      const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
      if (seconds >= -60 && seconds < 14 * 86400) time.textContent = relative(Math.max(0, seconds));
    });
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    const question = event.submitter?.dataset.confirm || form.dataset.confirm;
    if (question && !window.confirm(question)) {
      event.preventDefault();
      return;
    }
    if (form.hasAttribute("data-once") && !event.defaultPrevented) {
      // A second click must not send the form twice; the button's own name and value still travel with the first.
      if (form.dataset.sent) event.preventDefault();
      form.dataset.sent = "1";
    }
  });
  // What was typed and is kept by the browser alone (reading.js, unaided_reading.js), on this page or another one.
  function kept() {
    const found = [];
    for (const name of ["localStorage", "sessionStorage"]) {
      try {
        for (const key of Object.keys(window[name])) {
          if (/^(bonescan-reading:|own-)/.test(key)) found.push([window[name], key]);
        }
      } catch {
        // Storage can be forbidden; then nothing was kept.
      }
    }
    return found;
  }
  function sent([storage, key]) {
    try {
      return JSON.parse(storage.getItem(key)).sent === true;
    } catch {
      return false;
    }
  }
  function differs(field) {
    if (field.type === "file") return field.files.length > 0;
    if (["hidden", "submit", "button"].includes(field.type) || !field.name) return false;
    if (["checkbox", "radio"].includes(field.type)) return field.checked !== field.defaultChecked;
    if (field.type === "select-one" || field.type === "select-multiple") {
      const stated = [...field.options].some((option) => option.defaultSelected);
      return [...field.options].some((option, at) => option.selected !== (stated ? option.defaultSelected : at === 0));
    }
    return "defaultValue" in field && field.value !== field.defaultValue;
  }
  // Forms that keep what is typed by themselves (data-reading, data-keep) answer through what is kept.
  function unsaved() {
    const forms = [...document.querySelectorAll("form[method=post]:not([data-reading], [data-keep])")];
    return kept().some((entry) => !sent(entry)) || forms.some((form) => form.querySelector(".errorlist") || [...form.elements].some(differs));
  }
  // Whoever signs out, on whatever page, leaves nothing of what was typed on a shared computer, and is asked before it is lost.
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented || !(event.target.getAttribute("action") || "").includes("logout")) return;
    if (unsaved() && !window.confirm(gettext("Some entries are not saved. Sign out and discard them?"))) {
      event.preventDefault();
      return;
    }
    kept().forEach(([storage, key]) => storage.removeItem(key));
  });
  window.addEventListener("pageshow", () => {
    document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent);
  });

  // What scrolls sideways must scroll by keyboard too: it takes the focus while it is wider than its place.
  function refreshScrollers() {
    document.querySelectorAll(".table-wrap, .panel--table").forEach((one) => {
      if (one.scrollWidth > one.clientWidth) one.tabIndex = 0;
      else one.removeAttribute("tabindex");
    });
  }
  window.addEventListener("resize", refreshScrollers);
  document.addEventListener("toggle", refreshScrollers, true);

  // A button that copies the text of the element it names.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    await navigator.clipboard.writeText((source.value || source.textContent).trim());
    button.textContent = gettext("Copied");
  });

  document.addEventListener("DOMContentLoaded", () => {
    refreshTimes();
    refreshScrollers();
    const attention = document.querySelector("[data-focus]");
    if (attention) attention.focus();
  });
  document.addEventListener("htmx:afterSettle", refreshTimes);
  document.addEventListener("htmx:afterSettle", refreshScrollers);
  setInterval(refreshTimes, 30000);
})();
