// What stays on the screen of somebody who is gone: nothing. The page blanks when the session has ended, and a page that the
// browser kept whole (back/forward cache) is asked for anew before it is seen.
(function () {
  "use strict";
  const CHANNEL = "bonescan-session";
  const LONGEST_MS = 24 * 3600 * 1000;
  const AGAIN_MS = 30000;
  const root = document.documentElement;
  const session = document.querySelector('meta[name="session"]');
  const tabs = "BroadcastChannel" in window ? new BroadcastChannel(CHANNEL) : null;

  if (!session) {
    if (tabs) tabs.postMessage("ask"); // nobody is signed in here any more: other tabs shall look
    return;
  }

  const ask = window.fetch.bind(window);
  const title = document.title;
  let deadline = 0;
  let timer = 0;
  let cover = null;

  function blank() {
    if (cover) return;
    cover = document.createElement("div");
    cover.className = "screen-cover";
    cover.setAttribute("role", "alert");
    const head = Object.assign(document.createElement("h1"), { textContent: gettext("Your session has ended") });
    const said = Object.assign(document.createElement("p"), {
      textContent: gettext("Entries that are not saved stay on this page: sign in using another tab, then return here."),
    });
    const link = Object.assign(document.createElement("a"), { textContent: gettext("Sign in") });
    link.classList.add("btn", "btn-primary");
    link.href = `${session.dataset.signIn}?next=${encodeURIComponent(location.pathname + location.search)}`;
    cover.append(head, said, link);
    document.body.append(cover);
    document.title = "BoneScan";
    root.classList.add("is-blank");
    link.focus();
  }

  function show() {
    root.classList.remove("is-blank");
    if (!cover) return;
    cover.remove();
    cover = null;
    document.title = title;
  }

  // The server knows how long the session lasts: another tab may have used it meanwhile. The question itself extends nothing.
  async function look() {
    clearTimeout(timer);
    let left = null;
    try {
      const answer = await ask(session.content, {
        headers: { Accept: "application/json", "X-Requested-With": "fetch" },
        cache: "no-store",
        redirect: "error",
      });
      if (answer.status === 401 || answer.status === 403) left = 0;
      else if (answer.ok) {
        const told = await answer.json();
        left = told.user === session.dataset.user ? told.left_s : 0;
      }
    } catch {
      // The portal is away: what was known before holds.
    }
    if (left === null) {
      if (Date.now() >= deadline) blank();
      timer = setTimeout(look, AGAIN_MS);
    } else if (left <= 0) {
      blank();
    } else {
      deadline = Date.now() + left * 1000;
      timer = setTimeout(look, Math.min(left * 1000 + 500, LONGEST_MS));
      show();
    }
  }

  window.fetch = async (...request) => {
    const answer = await ask(...request);
    if (answer.status === 401) look();
    return answer;
  };
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.xhr && event.detail.xhr.status === 401) look();
  });
  // Somebody has just signed in here: tabs that are blank may show themselves again.
  if (tabs && document.referrer.includes(session.dataset.signIn)) tabs.postMessage("ask");
  document.addEventListener("session:ask", look); // for requests made in another way
  if (tabs) tabs.addEventListener("message", () => look());
  // A timer sleeps with the computer: who comes back to the tab is asked for again.
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible" && (cover || Date.now() >= deadline)) look();
  });
  window.addEventListener("focus", () => { if (cover) look(); });

  window.addEventListener("pagehide", (event) => { if (event.persisted) root.classList.add("is-blank"); });
  window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  // A page that Back brings may be an old copy out of a cache: nothing of it is seen before the server has answered.
  const [way] = performance.getEntriesByType("navigation");
  if (way && way.type === "back_forward") {
    root.classList.add("is-blank");
    look();
  } else {
    const left = Number(session.dataset.leftS) * 1000;
    deadline = Date.now() + left;
    timer = setTimeout(look, Math.min(left + 500, LONGEST_MS));
  }
})();
