// The case page's part in the worklist: the next-case key, and a page that outlives its session.
(function () {
  "use strict";

  document.addEventListener("keydown", (event) => {
    if (event.key !== "n" || event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented) return;
    if (event.target.closest("input, select, textarea, [contenteditable]")) return;
    const link = document.querySelector("[data-next]");
    if (!link) return;
    event.preventDefault();
    link.click();
  });

  // The line of the reader comes anew after each of its buttons, and another button may stand where one had the focus:
  // the focus then goes to the line, where it starts nothing. A browser that cannot move a preserved form whole loses it too.
  let focused = null;
  document.addEventListener("htmx:beforeSwap", () => { focused = document.activeElement; });
  document.addEventListener("htmx:afterSwap", () => {
    if (!focused || document.activeElement !== document.body) return;
    const line = focused.closest("#assignment-line") && document.getElementById("assignment-line");
    const place = focused.isConnected ? focused : line;
    if (place) place.focus({ preventScroll: true });
  });

  // A fragment is refused once the session has ended: the page stays, with everything that was typed on it.
  document.addEventListener("htmx:responseError", (event) => {
    const section = event.target.closest("[data-presence]");
    if (!section) return;
    if (event.detail.xhr.status === 401) {
      const note = document.querySelector("[data-session-ended]");
      if (note) note.hidden = false;
      const shown = document.getElementById("assignment-shown");
      if (shown) shown.value = "";  // The first beat that is answered again takes the note away.
    } else if (event.detail.xhr.status === 403) {
      renewToken(section);
    }
  });

  // Signing in again, in another tab, makes new tokens for forms; this page still holds the old ones.
  async function renewToken(section) {
    const address = section.getAttribute("hx-post").replace(/presence\/$/, "");
    const answer = await fetch(address);
    if (!answer.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("[name=csrfmiddlewaretoken]");
    if (!fresh) return;
    document.querySelectorAll("[name=csrfmiddlewaretoken]").forEach((field) => { field.value = fresh.value; });
    document.body.setAttribute("hx-headers", JSON.stringify({ "X-CSRFToken": fresh.value }));
  }
})();
