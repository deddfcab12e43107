// The film viewer: zoom and pan by the viewBox of the <svg>, invert by a class, outline and saliency by attributes. Nothing is lost without it: the whole film shows.
(function () {
  "use strict";
  const MAX_ZOOM = 12;

  function viewer(stage) {
    const svg = stage.querySelector("svg[data-film]");
    if (!svg || stage.dataset.ready) return;
    stage.dataset.ready = "1";
    const film = stage.closest(".film");
    const width = Number(svg.dataset.width);
    const height = Number(svg.dataset.height);
    const zoomText = film.querySelector("[data-zoom-text]");
    const saliency = svg.querySelector("[data-saliency]");
    const outline = svg.querySelector("[data-outline]");
    let zoom = 1;
    let centre = [width / 2, height / 2];

    function draw() {
      const half = [width / zoom / 2, height / zoom / 2];
      centre = [
        Math.min(width - half[0], Math.max(half[0], centre[0])),
        Math.min(height - half[1], Math.max(half[1], centre[1])),
      ];
      svg.setAttribute("viewBox", `${centre[0] - half[0]} ${centre[1] - half[1]} ${width / zoom} ${height / zoom}`);
      if (zoomText) zoomText.textContent = `${Math.round(zoom * 100)} %`;
    }
    function zoomTo(value, about) {
      const next = Math.min(MAX_ZOOM, Math.max(1, value));
      if (about) centre = centre.map((c, i) => about[i] + (c - about[i]) * (zoom / next));
      zoom = next;
      draw();
    }
    function pan(dx, dy) {
      centre = [centre[0] + dx, centre[1] + dy];
      draw();
    }
    function filmPoint(event) {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      return [point.x, point.y];
    }
    function invert() {
      const on = svg.classList.toggle("is-inverted");
      film.querySelectorAll("[data-film-do=invert]").forEach((button) => button.setAttribute("aria-pressed", String(on)));
    }
    function showOutline(on) {
      if (!outline) return;
      outline.setAttribute("visibility", on ? "visible" : "hidden");
      film.querySelectorAll("[data-film-do=outline]").forEach((button) => button.setAttribute("aria-pressed", String(on)));
      film.querySelectorAll("[data-outline-only]").forEach((part) => (part.hidden = !on));
    }
    function showSaliency(on) {
      if (!saliency) return;
      if (on && !saliency.getAttribute("href")) saliency.setAttribute("href", saliency.dataset.href);
      saliency.setAttribute("visibility", on ? "visible" : "hidden");
      film.querySelectorAll("[data-film-do=saliency]").forEach((button) => button.setAttribute("aria-pressed", String(on)));
      film.querySelectorAll("[data-saliency-only]").forEach((part) => (part.hidden = !on));
    }

    const actions = {
      in: () => zoomTo(zoom * 1.4),
      out: () => zoomTo(zoom / 1.4),
      fit: () => { centre = [width / 2, height / 2]; zoomTo(1); },
      invert,
      outline: () => showOutline(outline && outline.getAttribute("visibility") === "hidden"),
      saliency: () => showSaliency(saliency && saliency.getAttribute("visibility") === "hidden"),
    };
    film.addEventListener("click", (event) => {
      const button = event.target.closest("[data-film-do]");
      if (button) actions[button.dataset.filmDo]();
    });
    film.addEventListener("input", (event) => {
      if (!event.target.matches("[data-opacity]") || !saliency) return;
      saliency.setAttribute("opacity", String(event.target.value / 100));
      const output = film.querySelector("output");
      if (output) output.textContent = `${event.target.value} %`;
    });
    stage.addEventListener("keydown", (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      const step = Math.min(width, height) / zoom / 8;
      const keys = {
        "+": actions.in, "=": actions.in, "-": actions.out, 0: actions.fit, i: invert, o: actions.outline, s: actions.saliency,
        ArrowLeft: () => pan(-step, 0), ArrowRight: () => pan(step, 0), ArrowUp: () => pan(0, -step), ArrowDown: () => pan(0, step),
      };
      const act = keys[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    });
    svg.addEventListener("wheel", (event) => {
      event.preventDefault();
      zoomTo(zoom * Math.exp(-event.deltaY / 400), filmPoint(event));
    }, { passive: false });
    svg.addEventListener("dblclick", (event) => (zoom > 1 ? actions.fit() : zoomTo(3, filmPoint(event))));
    svg.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      let last = filmPoint(event);
      svg.setPointerCapture(event.pointerId);
      svg.classList.add("is-moving");
      const move = (moved) => {
        const now = filmPoint(moved);
        pan(last[0] - now[0], last[1] - now[1]);
        last = filmPoint(moved);
      };
      const end = () => {
        svg.classList.remove("is-moving");
        svg.removeEventListener("pointermove", move);
      };
      svg.addEventListener("pointermove", move);
      svg.addEventListener("pointerup", end, { once: true });
      svg.addEventListener("pointercancel", end, { once: true });
    });
    draw();
  }

  function start() {
    document.querySelectorAll(".stage").forEach(viewer);
  }
  document.addEventListener("DOMContentLoaded", start);
  document.addEventListener("htmx:afterSettle", start);
})();
