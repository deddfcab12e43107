// A film on a page, of a case or of a reader study: one pane (static/js/viewer) under its own tools and keys; works again after the page's body was replaced.
(function () {
  "use strict";
  const { Pane, controls } = window.BoneScan;

  function start() {
    document.querySelectorAll("[data-case-stage]").forEach(begin);
  }

  function begin(stage) {
    if (stage.dataset.ready) return;
    stage.dataset.ready = "1";
    const film = stage.closest(".film");
    const pane = new Pane(stage, () => controls.refresh(film, pane));
    let mode = "pan";
    const act = (name) => {
      if (name === "level") {
        mode = mode === "level" ? "pan" : "level";
        film.querySelector("[data-film-do=level]").setAttribute("aria-pressed", String(mode === "level"));
      } else if (name === "outline" || name === "saliency") controls.toggle(film, stage, name);
      else if (pane.loaded) controls.actions[name](pane);
    };
    film.addEventListener("click", (event) => {
      const button = event.target.closest("[data-film-do]");
      if (button) act(button.dataset.filmDo);
      if (event.target.closest("[data-again]")) pane.show(pane.film);
    });
    film.addEventListener("input", (event) => {
      if (event.target.matches("[data-opacity]")) controls.opacity(film, event.target, [stage]);
    });
    film.addEventListener("change", (event) => {
      if (event.target.matches("[data-presets]") && event.target.value !== "-1") pane.choose(Number(event.target.value));
    });
    stage.addEventListener("keydown", (event) => {
      if (controls.modified(event) || event.target !== stage) return;
      if ((stage.dataset.keysOfReading || "").includes(event.key.toLowerCase())) return; // they choose a reading, not a view
      const name = controls.keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!name && !controls.ARROWS[event.key]) return;
      event.preventDefault();
      if (name) act(name);
      else controls.arrow(pane, event.key, mode === "level");
    });
    stage.addEventListener("dblclick", (event) => {
      if (!pane.loaded) return;
      if (pane.fitted) pane.zoomTo(pane.scale * 3, pane.toFilm(controls.point(stage, event)));
      else pane.fit();
    });
    controls.pointers(pane, () => mode);
    pane.show(JSON.parse(stage.querySelector("script[type='application/json']").textContent));
  }

  // V opens the viewer from anywhere on the page but a field.
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "v" || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.target.closest("input, select, textarea, [contenteditable], dialog")) return;
    const link = document.querySelector("[data-open-viewer]");
    if (link) link.click();
  });

  document.addEventListener("DOMContentLoaded", start);
  document.addEventListener("htmx:afterSettle", start);
})();
