// The full-screen viewer: panes, their films, linked zoom, overlays, keys and help.
(function () {
  "use strict";
  const { Pane, controls, shapes, Measuring } = window.BoneScan;
  const NAMESPACE = "http://www.w3.org/2000/svg";
  const MODES = { p: "pan", w: "level", l: "length", a: "angle", b: "rectangle", e: "ellipse", d: "freehand" };

  class Viewer {
    constructor(body, films) {
      this.body = body;
      this.films = films;
      this.panes = [];
      this.mode = "pan";
      this.linked = true;
      this.overlays = { outline: true, saliency: false };
      this.main = body.querySelector(".viewer-panes");
      this.measuring = new Measuring(body, this.panes, () => this.pane);
      this.add(Number(body.dataset.wanted));
      this.listen();
    }

    get pane() {
      return this.panes[this.active || 0];
    }

    add(index) {
      const section = this.body.querySelector("[data-pane-template]").content.firstElementChild.cloneNode(true);
      this.main.append(section);
      const pane = new Pane(section.querySelector(".stage"), (changed, what) => this.changed(changed, what));
      pane.section = section;
      section.querySelector("[data-film-choice]").append(...choices(this.films));
      this.panes.push(pane);
      this.wire(pane);
      this.show(pane, index);
      this.activate(pane);
    }

    show(pane, index) {
      const film = this.films[index];
      pane.index = index;
      pane.section.setAttribute("aria-label", `${film.group}: ${film.name}`);
      pane.stage.setAttribute("aria-label", interpolate(gettext("%(film)s. Press ? for keyboard shortcuts"), { film: `${film.group}: ${film.name}` }, true));
      pane.section.querySelector("[data-film-choice]").value = String(index);
      const texts = { name: `${film.group}\n${film.name}`, spacing: film.spacing_words, size: `${film.width} x ${film.height} px`, note: film.note };
      for (const [name, text] of Object.entries(texts)) pane.section.querySelector(`[data-corner-${name}]`).textContent = text;
      overlay(pane, film);
      this.applyOverlays();
      this.measuring.fetch(film);
      pane.show(film);
      this.measuring.left(pane);
    }

    // Everything that a single pane hears.
    wire(pane) {
      const { section, stage } = pane;
      section.querySelector("[data-film-choice]").addEventListener("change", (event) => this.show(pane, Number(event.target.value)));
      section.addEventListener("pointerdown", () => this.activate(pane), true);
      section.addEventListener("focusin", () => this.activate(pane));
      section.querySelector("[data-again]").addEventListener("click", () => pane.show(pane.film));
      stage.addEventListener("film:drawn", () => this.measuring.draw(pane));
      controls.pointers(pane, () => this.mode, (kind, at, event) => this.measuring.pointer(pane, kind, at, event));
    }

    activate(pane) {
      this.active = this.panes.indexOf(pane);
      this.panes.forEach((one) => one.section.toggleAttribute("data-active", one === pane));
      this.refresh();
    }

    changed(pane, what) {
      if (what === "view" && this.linked) this.panes.filter((one) => one !== pane).forEach((one) => (one.place = pane.place));
      if (what === "film") this.applyOverlays();
      controls.refresh(pane.section, pane);
      if (pane === this.pane) this.refresh();
    }

    // The column and the bar speak of the active pane.
    refresh() {
      const { film } = this.pane;
      if (!film) return;
      controls.refresh(this.body.querySelector(".viewer-side"), this.pane);
      controls.refresh(this.body.querySelector(".viewer-bar"), this.pane);
      this.body.querySelector("[data-note]").textContent = film.note;
      this.body.querySelector("[data-spacing]").textContent = film.spacing_words;
      const model = this.body.querySelector("[data-model]");
      if (model) {
        const any = Boolean(film.saliency || (film.regions || []).length);
        model.textContent = any ? film.model : "";
        this.body.querySelector("[data-no-overlay]").hidden = any;
        this.body.querySelectorAll(".overlay-row").forEach((row) => {
          row.hidden = !this.pane.stage.querySelector(`[data-${row.querySelector("[data-film-do]").dataset.filmDo}]`);
        });
      }
      this.measuring.list(film);
    }

    applyOverlays() {
      for (const [kind, on] of Object.entries(this.overlays)) {
        this.panes.forEach((pane) => controls.toggle(pane.section, pane.stage, kind, on));
        this.body.querySelectorAll(`.overlay-row [data-film-do=${kind}]`).forEach((button) => button.setAttribute("aria-pressed", String(on)));
        const input = this.body.querySelector(`[data-opacity=${kind}]`);
        if (input) controls.opacity(this.body, input, this.panes.map((pane) => pane.stage));
      }
    }

    setMode(mode) {
      this.mode = this.mode === mode ? "pan" : mode;
      const tool = shapes.KINDS.includes(this.mode) ? this.mode : "";
      if (tool && !this.measuring.allowed) return this.setMode("pan");
      this.body.querySelectorAll("[data-mode]").forEach((one) => {
        if (one.matches("button")) one.setAttribute("aria-pressed", String(one.dataset.mode === this.mode));
      });
      this.panes.forEach((pane) => {
        pane.stage.dataset.mode = this.mode;
        pane.stage.toggleAttribute("data-tool", Boolean(tool));
      });
      this.measuring.choose(tool);
    }

    // One pane, or as many as the case has films (two at least where there is something to compare, four at most).
    layout() {
      const own = this.films.filter((film) => film.group === this.films[0].group).length;
      const wanted = this.panes.length > 1 ? 1 : Math.min(4, this.films.length, Math.max(2, own));
      while (this.panes.length > wanted) this.panes.pop().section.remove();
      const free = this.films.map((_, index) => index).filter((index) => index !== this.panes[0].index);
      for (const index of free.slice(0, wanted - 1)) this.add(index);
      this.main.dataset.panes = String(wanted > 2 ? 4 : wanted);
      this.body.querySelector("[data-layout]").setAttribute("aria-pressed", String(wanted > 1));
      this.panes.forEach((pane) => {
        pane.stage.dataset.mode = this.mode;
        pane.stage.toggleAttribute("data-tool", shapes.KINDS.includes(this.mode));
      });
      this.activate(this.panes[0]);
      if (wanted === 1 && this.films.length === 1) this.measuring.say(gettext("There is no other film for side-by-side view."));
    }

    link() {
      this.linked = !this.linked;
      this.body.querySelector("[data-link]").setAttribute("aria-pressed", String(this.linked));
    }

    step(by) {
      this.show(this.pane, (this.pane.index + by + this.films.length) % this.films.length);
    }

    next() {
      this.panes[((this.active || 0) + 1) % this.panes.length].stage.focus();
    }

    act(name) {
      if (name === "level") this.setMode("level");
      else if (name in this.overlays) {
        this.overlays[name] = !this.overlays[name];
        this.applyOverlays();
      } else if (this.pane.loaded) controls.actions[name](this.pane);
    }

    // A closing dialog hands the focus back where it came from; from nowhere, it would stay a while on the dialog's hidden button, which eats the next Enter.
    help() {
      if (document.activeElement === document.body) this.pane.stage.focus({ preventScroll: true });
      this.body.querySelector("[data-help-dialog]").showModal();
    }

    listen() {
      const on = (selector, act) => this.body.querySelector(selector).addEventListener("click", act);
      on("[data-layout]", () => this.layout());
      on("[data-link]", () => this.link());
      on("[data-help]", () => this.help());
      this.body.addEventListener("click", (event) => {
        const button = event.target.closest("button");
        if (button?.dataset.filmDo) this.act(button.dataset.filmDo);
        if (button?.dataset.mode) this.setMode(button.dataset.mode);
      });
      this.body.addEventListener("input", (event) => {
        if (event.target.matches("[data-opacity]")) controls.opacity(this.body, event.target, this.panes.map((pane) => pane.stage));
      });
      this.body.querySelector(".viewer-side [data-presets]").addEventListener("change", (event) => {
        if (event.target.value !== "-1") this.pane.choose(Number(event.target.value));
      });
      document.addEventListener("keydown", (event) => this.key(event));
    }

    key(event) {
      if (controls.modified(event) || document.querySelector("dialog[open]")) return;
      if (event.target.closest("input, select, textarea")) return;
      const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
      const own = {
        "?": () => this.help(), q: () => this.body.querySelector("[data-back]").click(), c: () => this.layout(), k: () => this.link(),
        n: () => this.step(1), j: () => this.step(-1), t: () => this.next(), Escape: () => this.setMode("pan"),
      };
      const onButton = event.target.closest("button, a");
      if (!onButton && this.measuring.key(this.pane, event)) event.preventDefault();
      else if (controls.ARROWS[key]) {
        event.preventDefault();
        controls.arrow(this.pane, key, this.mode === "level");
      } else if (MODES[key]) this.setMode(MODES[key]);
      else if (controls.keys[key]) this.act(controls.keys[key]);
      else if (own[key]) own[key]();
      else return;
      if (key !== "Enter" && key !== " ") event.preventDefault();
    }
  }

  // The films as options, grouped by examination.
  function choices(films) {
    const groups = new Map();
    films.forEach((film, index) => {
      if (!groups.has(film.group)) groups.set(film.group, Object.assign(document.createElement("optgroup"), { label: film.group }));
      groups.get(film.group).append(new Option(film.name, String(index)));
    });
    return groups.values();
  }

  function make(name, attributes) {
    const element = document.createElementNS(NAMESPACE, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  }

  // What the model drew, as the case page writes it (templates/analyses/case_page/_outline.html).
  function overlay(pane, film) {
    pane.scene.replaceChildren();
    if (film.saliency) {
      pane.scene.append(make("image", { "data-saliency": "", "data-href": film.saliency, width: film.width, height: film.height, preserveAspectRatio: "none", visibility: "hidden" }));
    }
    if ((film.regions || []).length) {
      const group = make("g", { class: "outline", "data-outline": "", visibility: "hidden" });
      for (const region of film.regions) {
        for (const kind of ["under", "line"]) group.append(make("polygon", { class: `outline-${kind}`, points: region.points, "vector-effect": "non-scaling-stroke" }));
        group.lastChild.append(Object.assign(make("title", {}), { textContent: interpolate(gettext("Outline, %(size)s"), { size: region.size }, true) }));
      }
      pane.scene.append(group);
    }
    pane.section.querySelector("[data-corner-outline]").textContent = interpolate(gettext("Outline, %(model)s"), { model: film.model }, true);
    pane.section.querySelector("[data-corner-saliency]").textContent = interpolate(gettext("Saliency map, %(model)s"), { model: film.model }, true);
    pane.section.querySelectorAll("[data-outline-only], [data-saliency-only]").forEach((one) => (one.hidden = true));
  }

  document.addEventListener("DOMContentLoaded", () => {
    const films = JSON.parse(document.getElementById("films").textContent);
    if (films.length) window.BoneScan.viewer = new Viewer(document.body, films);
  });
})();
