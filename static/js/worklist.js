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

  // The beat is refused once the session has ended: the page stays, with everything that was typed on it.
  document.addEventListener("htmx:responseError", (event) => {
    if (event.detail.xhr.status !== 401 || !event.target.closest("[data-presence]")) return;
    const note = document.querySelector("[data-session-ended]");
    if (note) note.hidden = false;
  });
})();
