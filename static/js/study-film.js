// The films of a reader study: zoom and pan by the viewBox of the <svg>, invert by a class, the outline by an attribute. The whole film shows without it.
(function () {
  "use strict";
  const MAX_ZOOM = 12;

  function begin(stage) {
    const svg = stage.querySelector("svg");
    const film = stage.closest(".film");
    const outline = svg.querySelector("[data-outline]");
    const size = [Number(svg.dataset.width), Number(svg.dataset.height)];
    let zoom = 1;
    let centre = size.map((side) => side / 2);

    function draw() {
      const half = size.map((side) => side / zoom / 2);
      centre = centre.map((at, i) => Math.min(size[i] - half[i], Math.max(half[i], at)));
      svg.setAttribute("viewBox", `${centre[0] - half[0]} ${centre[1] - half[1]} ${size[0] / zoom} ${size[1] / zoom}`);
      film.querySelector("[data-zoom-text]").textContent = `${Math.round(zoom * 100)} %`;
    }
    function zoomTo(value, about) {
      const next = Math.min(MAX_ZOOM, Math.max(1, value));
      if (about) centre = centre.map((at, i) => about[i] + (at - about[i]) * (zoom / next));
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
    function press(name, on) {
      film.querySelectorAll(`[data-film-do=${name}]`).forEach((button) => button.setAttribute("aria-pressed", String(on)));
    }

    const actions = {
      in: () => zoomTo(zoom * 1.4),
      out: () => zoomTo(zoom / 1.4),
      fit: () => zoomTo(1),
      invert: () => press("invert", svg.classList.toggle("is-inverted")),
      outline: () => {
        if (!outline) return;
        const on = outline.getAttribute("visibility") === "hidden";
        outline.setAttribute("visibility", on ? "visible" : "hidden");
        press("outline", on);
        film.querySelectorAll("[data-outline-only]").forEach((part) => (part.hidden = !on));
      },
    };
    film.addEventListener("click", (event) => {
      const button = event.target.closest("[data-film-do]");
      if (button) actions[button.dataset.filmDo]();
    });
    stage.addEventListener("keydown", (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      const step = Math.min(...size) / zoom / 8;
      const keys = {
        "+": actions.in, "=": actions.in, "-": actions.out, 0: actions.fit, i: actions.invert, o: actions.outline,
        ArrowLeft: () => pan(-step, 0), ArrowRight: () => pan(step, 0), ArrowUp: () => pan(0, -step), ArrowDown: () => pan(0, step),
      };
      if (!keys[event.key]) return;
      event.preventDefault();
      keys[event.key]();
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
      const move = (moved) => {
        const now = filmPoint(moved);
        pan(last[0] - now[0], last[1] - now[1]);
        last = filmPoint(moved);
      };
      const end = () => svg.removeEventListener("pointermove", move);
      svg.addEventListener("pointermove", move);
      svg.addEventListener("pointerup", end, { once: true });
      svg.addEventListener("pointercancel", end, { once: true });
    });
    draw();
  }

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-study-stage]").forEach(begin));
})();
