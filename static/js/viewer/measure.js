// Measuring: drawing by mouse, finger or keys, keeping what was drawn on the server, and listing it. The figures come from the server.
(function () {
  "use strict";
  const { shapes } = window.BoneScan;
  const NAMESPACE = "http://www.w3.org/2000/svg";
  const NEAR = 4; // CSS pixels: a shorter drag is a click
  const SPOT = 3; // CSS pixels between two points of a freehand line

  const TOOLS = { length: gettext("Length"), angle: gettext("Angle"), rectangle: gettext("Rectangle"), ellipse: gettext("Ellipse"), freehand: gettext("Freehand") };
  const HOW = gettext("%(tool)s: click or drag on the film, or move the crosshair with the arrow keys and press Enter.");

  class Measuring {
    constructor(body, panes, active) {
      this.body = body;
      this.panes = panes;
      this.active = active;
      this.token = body.dataset.csrf || "";
      this.kind = "";
      this.marks = new Map();
      this.coming = new Map(); // promises of lists
      this.clear();
      body.querySelector("[data-measurements]").addEventListener("click", (event) => {
        const button = event.target.closest("[data-withdraw]");
        if (button) this.withdraw(button);
      });
    }

    get allowed() {
      return Boolean(this.token);
    }

    get full() {
      return this.points.length >= shapes.NEEDS[this.kind];
    }

    clear() {
      this.points = [];
      this.hover = null;
      this.pane = null;
      this.dragged = false;
    }

    choose(kind) {
      this.kind = kind;
      this.cross = null;
      this.clear();
      this.say(kind ? interpolate(HOW, { tool: TOOLS[kind] }, true) : "");
      this.drawAll();
    }

    // One measurement at a time, on one pane.
    take(pane) {
      if (this.pane !== pane) this.clear();
      this.pane = pane;
    }

    // Another film comes into the pane: nothing that was begun on the one before may end on it.
    left(pane) {
      if (this.pane === pane) this.clear();
      if (this.crossed === pane) this.cross = null;
      this.draw(pane);
    }

    // --- drawing: pointers ---
    pointer(pane, phase, at, event) {
      if (!this.kind || !pane.loaded) return false;
      if (phase === "hover") return this.preview(pane, at);
      const point = inside(pane, pane.toFilm(at));
      if (phase === "down") this.press(pane, at, point, event);
      else if (this.pane !== pane) return false; // what was begun here is gone
      else if (phase === "move") this.drag(pane, at, point);
      else if (phase === "up") this.release(pane, point);
      else this.unpress();
      this.drawAll();
      return true;
    }

    // A second finger may follow and make this press a pinch: nothing is finished before the release.
    press(pane, at, point, event) {
      this.take(pane);
      this.cross = null;
      this.begun = at;
      this.before = this.points.length;
      this.dragged = false;
      if (this.kind !== "freehand" || !this.before) this.points.push(point);
      this.hover = null;
      event.preventDefault();
      pane.stage.focus({ preventScroll: true });
    }

    // Only what this press placed goes.
    unpress() {
      this.points.splice(this.before);
      this.hover = null;
      this.dragged = false;
    }

    preview(pane, at) {
      if (this.pane !== pane || !this.points.length) return false;
      this.hover = inside(pane, pane.toFilm(at));
      this.draw(pane);
      return false;
    }

    drag(pane, at, point) {
      if (!this.points.length) return;
      this.dragged = this.dragged || Math.hypot(at[0] - this.begun[0], at[1] - this.begun[1]) > NEAR;
      if (this.full) {
        if (this.dragged) this.points.splice(-1, 1, point);
        return;
      }
      if (this.kind !== "freehand") {
        this.hover = point;
        return;
      }
      const last = pane.toScreen(this.points[this.points.length - 1]);
      if (Math.hypot(at[0] - last[0], at[1] - last[1]) >= SPOT) this.points.push(point);
    }

    release(pane, point) {
      if (!this.points.length) return;
      if (this.kind === "freehand") {
        if (this.dragged) this.finish(pane);
        return;
      }
      if (this.dragged) this.points.splice(this.full ? -1 : this.points.length, 1, point);
      this.finishIfFull(pane);
    }

    // --- drawing: keys ---
    key(pane, event) {
      if (!this.kind || !pane || !pane.loaded) return false;
      const arrow = window.BoneScan.controls.ARROWS[event.key];
      if (arrow) {
        const step = (event.shiftKey ? 10 : 1) / Math.min(1, pane.scale);
        const [x, y] = pane.toScreen(this.crossOn(pane));
        const one = (step * pane.scale) / pane.ratio;
        this.cross = inside(pane, pane.toFilm([x + arrow[0] * one, y + arrow[1] * one]));
        if (this.pane === pane && this.points.length) this.hover = this.cross;
      } else if (event.key === "Enter") {
        this.take(pane);
        this.points.push(this.crossOn(pane));
        this.finishIfFull(pane);
      } else if (event.key === " " && this.kind === "freehand") this.finish(this.pane || pane);
      else if (event.key === "Backspace") this.points.pop();
      else return false;
      this.drawAll();
      return true;
    }

    // The cross lies on one pane; on another one it begins in the middle.
    crossOn(pane) {
      if (!this.cross || this.crossed !== pane) this.cross = inside(pane, pane.centre);
      this.crossed = pane;
      return this.cross;
    }

    finishIfFull(pane) {
      if (this.full) this.finish(pane);
    }

    async finish(pane) {
      const { film } = pane;
      const points = thinned(this.points).map(([x, y]) => [x / film.width, y / film.height]);
      const drawn = { kind: this.kind, points };
      this.clear();
      if (drawn.kind === "freehand" && points.length < 3) return this.say(gettext("An outline needs at least three points."));
      const field = this.body.querySelector("[data-label]");
      const label = field.value;
      field.value = ""; // before the answer: what is typed meanwhile belongs to the next one
      this.say(gettext("Measuring"));
      const answer = await this.send(`/films/${film.analysis_id}/annotations/add/`, { ...drawn, label });
      if (!answer) {
        field.value = field.value || label;
        return this.drawAll();
      }
      this.say(interpolate(gettext("Saved: %(figures)s"), { figures: answer.text }, true));
      await this.add(film, answer);
      this.list(this.active().film);
      return this.drawAll();
    }

    // --- what is kept ---
    // A list that is still on its way may hold the new one already, or not yet.
    async add(film, mark) {
      await this.coming.get(film.image_id);
      if (!this.marks.has(film.image_id)) return this.fetch(film);
      const others = this.marks.get(film.image_id).filter((one) => one.id !== mark.id);
      return this.marks.set(film.image_id, [...others, mark]);
    }

    fetch(film) {
      if (!this.marks.has(film.image_id)) this.coming.set(film.image_id, this.load(film));
      return this.coming.get(film.image_id);
    }

    async load(film) {
      this.marks.set(film.image_id, []);
      try {
        const response = await fetch(`/films/${film.analysis_id}/annotations/`, { headers: { Accept: "application/json" } });
        if (!response.ok || response.redirected) throw new Error();
        this.marks.set(film.image_id, (await response.json()).annotations);
      } catch {
        this.marks.delete(film.image_id);
        this.say(gettext("The measurements could not be loaded. Choose the film again to retry."));
        return;
      }
      const pane = this.active();
      if (pane?.film) this.list(pane.film);
      this.drawAll();
    }

    async send(url, body, again = true) {
      try {
        const headers = { Accept: "application/json", "Content-Type": "application/json", "X-CSRFToken": this.token };
        const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
        const answer = response.redirected ? {} : await response.json();
        if (response.ok && !response.redirected) return answer;
        const stale = again && answer.code === "csrf_failed";
        if (stale && (await this.renew())) return this.send(url, body, false);
        const out = stale || response.status === 401;
        this.say((!out && answer.detail) || gettext("Not saved: you are signed out. Sign in using another tab, then measure again."));
      } catch {
        this.say(gettext("Not saved: the server cannot be reached. Check the network, then measure again."));
      }
      return null;
    }

    // Signing in again, in another tab, makes new tokens; this page holds the old one. Whoever else signed in does not measure here.
    async renew() {
      const response = await fetch(window.location.href);
      if (!response.ok || response.redirected) return false;
      const { csrf, user } = new DOMParser().parseFromString(await response.text(), "text/html").body.dataset;
      if (!csrf || user !== this.body.dataset.user) return false;
      this.token = csrf;
      return true;
    }

    async withdraw(button) {
      const answer = await this.send(button.dataset.withdraw, {});
      if (!answer) return;
      for (const [image, marks] of this.marks) this.marks.set(image, marks.filter((mark) => mark.id !== answer.id));
      this.say(gettext("Measurement withdrawn. It is kept in the record."));
      const pane = this.active();
      this.list(pane.film);
      this.drawAll();
      if (document.activeElement === document.body) pane.stage.focus(); // the focus was on the button that is gone
    }

    say(text) {
      this.body.querySelector("[data-measure-state]").textContent = text;
    }

    // --- what is shown ---
    list(film) {
      const marks = this.marks.get(film.image_id) || [];
      this.body.querySelector("[data-no-measurements]").hidden = marks.length > 0;
      const list = this.body.querySelector("[data-measurements]");
      const held = list.contains(document.activeElement) && document.activeElement.dataset.withdraw;
      list.replaceChildren(...marks.map((mark, index) => entry(mark, index, this.allowed)));
      const again = held && [...list.querySelectorAll("[data-withdraw]")].find((one) => one.dataset.withdraw === held);
      if (again) again.focus({ preventScroll: true });
    }

    // A film may stand in several panes.
    drawAll() {
      this.panes.forEach((pane) => this.draw(pane));
    }

    draw(pane) {
      const group = pane.stage.querySelector("[data-marks]");
      group.replaceChildren();
      if (!pane.loaded) return;
      const { film } = pane;
      const place = (point) => pane.toScreen(point);
      (this.marks.get(film.image_id) || []).forEach((mark, index) => {
        const points = mark.points.map(([x, y]) => [x * film.width, y * film.height]);
        outline(group, mark.kind, points, place, `${index + 1}: ${mark.short}`);
      });
      if (this.pane === pane && this.points.length) {
        const points = this.hover ? [...this.points, this.hover] : this.points;
        outline(group, this.kind, points, place, shapes.words(this.kind, points, film.spacing), true);
      }
      if (this.kind && this.cross && this.crossed === pane) cross(group, place(this.cross));
    }
  }

  function inside(pane, point) {
    return point.map((value, axis) => Math.min(pane.size()[axis], Math.max(0, value)));
  }

  // At most 500 points travel.
  function thinned(points) {
    const step = Math.ceil(points.length / 500);
    return points.filter((_, index) => index % step === 0);
  }

  function add(group, name, attributes, text) {
    const element = document.createElementNS(NAMESPACE, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text) element.textContent = text;
    group.append(element);
  }

  function outline(group, kind, points, place, text, draft = false) {
    const path = shapes.path(kind, points, place);
    const [x, y] = place(points[points.length - 1]);
    if (path) {
      add(group, "path", { class: "marks-under", d: path });
      add(group, "path", { class: `marks-line${draft ? " marks-draft" : ""}`, d: path });
    } else cross(group, [x, y]);
    if (text) add(group, "text", { class: "marks-text", x: x + 8, y: y - 8 }, text);
  }

  function cross(group, [x, y]) {
    add(group, "path", { class: "marks-under", d: `M${x - 12},${y}h24M${x},${y - 12}v24` });
    add(group, "path", { class: "marks-cross", d: `M${x - 12},${y}h24M${x},${y - 12}v24` });
  }

  function entry(mark, index, allowed) {
    const row = document.createElement("li");
    const part = (name, text) => Object.assign(document.createElement("span"), { className: name, textContent: text });
    row.append(part("value", `${index + 1}: ${mark.label ? `${mark.label}: ` : ""}${mark.text}`));
    const { author, created } = mark;
    const late = gettext("%(author)s, %(created)s, after the signature, not in the report");
    row.append(part("small", mark.after_signature ? interpolate(late, { author, created }, true) : `${author}, ${created}`));
    if (allowed && mark.withdraw) {
      const button = Object.assign(document.createElement("button"), { type: "button", className: "btn btn-small", textContent: gettext("Withdraw") });
      button.dataset.withdraw = mark.withdraw;
      button.setAttribute("aria-label", interpolate(gettext("Withdraw measurement %(number)s"), { number: index + 1 }, true));
      row.append(button);
    }
    return row;
  }

  window.BoneScan.Measuring = Measuring;
})();
