// The unaided reading: what is typed is kept on the server as it is typed, and in this tab while the server cannot be asked
// (a session that ended); a region is drawn on a small copy of the film. Without script the form locks all the same.
(function () {
  "use strict";
  const PAUSE_MS = 600;
  const LONGEST_MS = 20000;
  const STEP = 0.02; // of the film, for an arrow key
  const DRAG_PX = 4;
  const FIELDS = ["reading", "likelihood", "region"];

  function values(form) {
    const data = new FormData(form);
    return Object.fromEntries(FIELDS.map((name) => [name, String(data.get(name) || "")]));
  }
  function fill(form, kept) {
    for (const name of FIELDS) {
      const control = form.elements[name];
      if (control && typeof kept[name] === "string") control.value = kept[name];
    }
  }
  function store(action) {
    try {
      return action(window.sessionStorage);
    } catch {
      return null; // storage may be forbidden; the server's copy remains
    }
  }

  function keep(form) {
    if (form.dataset.ready) return;
    form.dataset.ready = "1";
    const key = form.dataset.keep;
    const state = form.querySelector("[data-own-state]");
    let timer = 0;
    let turn = 0;
    let flying = false;
    let typed = "";
    const say = (text) => { if (state) state.textContent = text; };

    // One at a time, so that the server keeps them in order; an answer to what was typed before says nothing of what is typed now.
    async function send() {
      if (flying) {
        timer = window.setTimeout(send, PAUSE_MS);
        return;
      }
      flying = true;
      const mine = turn;
      const sent = values(form);
      try {
        const answer = await fetch(form.dataset.draft, {
          method: "POST",
          body: new URLSearchParams({ ...sent, csrfmiddlewaretoken: form.elements.csrfmiddlewaretoken.value }),
          headers: { Accept: "application/json", "X-Requested-With": "XMLHttpRequest" },
          credentials: "same-origin",
          signal: AbortSignal.timeout(LONGEST_MS),
        });
        if (mine !== turn) return;
        if (answer.ok) {
          store((tab) => tab.removeItem(key));
          say(gettext("Saved."));
        } else if (answer.status === 401) {
          say(gettext("Your session has ended. Your entries are kept in this tab: sign in again and open the case."));
        } else {
          const told = await answer.json().catch(() => ({}));
          say(told.detail || gettext("Not saved on the server. Your entries are kept in this tab."));
        }
      } catch {
        if (mine === turn) say(gettext("The portal cannot be reached. Your entries are kept in this tab."));
      } finally {
        flying = false;
      }
    }
    function changed() {
      turn += 1;
      store((tab) => tab.setItem(key, JSON.stringify(values(form))));
      window.clearTimeout(timer);
      timer = window.setTimeout(send, PAUSE_MS);
    }
    function needs() {
      const cannot = values(form).reading === "cannot_tell";
      const field = form.elements.likelihood;
      if (cannot && !field.disabled) {
        typed = field.value; // arrow keys pass over "cannot tell"
        field.value = "";
      } else if (!cannot && field.disabled) {
        field.value = field.value || typed;
      }
      field.disabled = cannot;
    }

    const text = store((tab) => tab.getItem(key));
    if (text) {
      try {
        fill(form, JSON.parse(text));
        changed();
        say(gettext("Restored from this tab."));
      } catch {
        store((tab) => tab.removeItem(key));
      }
    }
    needs();
    form.addEventListener("input", () => { needs(); changed(); });
    form.addEventListener("own:region", changed);
    // On the document and after ui.js, whose question may be answered with "Cancel": then the draft is still to be kept.
    document.addEventListener("submit", (event) => {
      if (event.target === form && !event.defaultPrevented) window.clearTimeout(timer);
    });
  }

  function region(form) {
    const part = form.querySelector("[data-region]");
    if (!part || part.dataset.ready) return;
    part.dataset.ready = "1";
    const svg = part.querySelector("svg");
    const [width, height] = [svg.viewBox.baseVal.width, svg.viewBox.baseVal.height];
    const words = part.querySelector("[data-region-words]");
    const field = form.elements.region;
    let box = null;

    function read() {
      try {
        const kept = JSON.parse(field.value);
        box = kept.image === svg.dataset.image ? kept.box : null;
      } catch {
        box = null;
      }
    }
    function draw() {
      for (const rect of svg.querySelectorAll("rect")) {
        rect.setAttribute("visibility", box ? "visible" : "hidden");
        if (!box) continue;
        rect.setAttribute("x", box[0] * width);
        rect.setAttribute("y", box[1] * height);
        rect.setAttribute("width", (box[2] - box[0]) * width);
        rect.setAttribute("height", (box[3] - box[1]) * height);
      }
    }
    function set(next, done) {
      const limit = (value) => Math.round(Math.min(1, Math.max(0, value)) * 10000) / 10000;
      box = next ? next.map(limit) : null;
      if (box && (box[2] <= box[0] || box[3] <= box[1])) box = done ? null : box;
      draw();
      if (!done) return;
      field.value = box ? JSON.stringify({ image: svg.dataset.image, box }) : "";
      tell();
      form.dispatchEvent(new Event("own:region"));
    }
    function tell() {
      const share = (value) => Math.round(100 * value);
      if (!box) return words.replaceChildren();
      const [left, top, right, bottom] = box.map(share);
      const said = gettext("film %(number)s, %(left)s to %(right)s % from the left, %(top)s to %(bottom)s % from the top");
      words.textContent = `: ${interpolate(said, { number: svg.dataset.number, left, top, right, bottom }, true)}`;
    }
    function span(from, to) {
      return [Math.min(from[0], to[0]), Math.min(from[1], to[1]), Math.max(from[0], to[0]), Math.max(from[1], to[1])];
    }
    // Both stop at the edge of the film; a box is not sized to nothing.
    function moved([left, top, right, bottom], dx, dy) {
      const x = Math.min(1 - right, Math.max(-left, dx));
      const y = Math.min(1 - bottom, Math.max(-top, dy));
      return [left + x, top + y, right + x, bottom + y];
    }
    function sized([left, top, right, bottom], dx, dy) {
      const least = (from, to) => Math.min(to, from + STEP);
      return [left, top, Math.max(least(left, right), right + dx), Math.max(least(top, bottom), bottom + dy)];
    }
    function place(event) {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      return [point.x / width, point.y / height];
    }

    part.addEventListener("toggle", () => {
      const image = svg.querySelector("image");
      if (part.open && !image.getAttribute("href")) image.setAttribute("href", image.dataset.href);
    });
    let drag = null;
    svg.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || drag) return;
      event.preventDefault();
      svg.focus();
      svg.setPointerCapture(event.pointerId);
      drag = { id: event.pointerId, from: place(event), at: [event.clientX, event.clientY], before: box, drawn: false };
    });
    for (const name of ["pointermove", "pointerup", "pointercancel"]) {
      svg.addEventListener(name, (event) => {
        if (!drag || event.pointerId !== drag.id) return;
        // A click or a tap, with the tremble of a hand, draws nothing and takes nothing away.
        drag.drawn ||= Math.hypot(event.clientX - drag.at[0], event.clientY - drag.at[1]) >= DRAG_PX;
        if (drag.drawn) set(name === "pointercancel" ? drag.before : span(drag.from, place(event)), false);
        if (name === "pointermove") return;
        const { before, drawn } = drag;
        drag = null;
        if (drawn) set(box && box[2] > box[0] && box[3] > box[1] ? box : before, true);
      });
    }
    svg.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
      if (event.key === "Enter") set(box || [0.35, 0.35, 0.65, 0.65], true);
      else if (event.key === "Delete" || event.key === "Backspace") set(null, true);
      else if (way && box) {
        set((event.shiftKey ? sized : moved)(box, ...way), true);
      } else return;
      event.preventDefault();
    });
    part.querySelector("[data-region-clear]").addEventListener("click", () => set(null, true));
    read();
    draw();
    if (box) tell(); // what this tab kept is in the field; the page was written before
  }

  function start() {
    document.querySelectorAll("form[data-own]").forEach((form) => {
      keep(form);
      region(form);
    });
  }
  document.addEventListener("DOMContentLoaded", start);
  document.addEventListener("htmx:afterSettle", start);
})();
