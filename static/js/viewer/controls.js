// Buttons, keys, wheel, mouse and fingers for a pane: shared by the case page and the viewer.
(function () {
  "use strict";
  const STEP = 48; // CSS pixels that an arrow key moves the film

  function point(stage, event) {
    const box = stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  // What buttons and keys do to a pane.
  const actions = {
    in: (pane) => pane.zoomTo(pane.scale * 1.25),
    out: (pane) => pane.zoomTo(pane.scale / 1.25),
    fit: (pane) => pane.fit(),
    one: (pane) => pane.zoomTo(1),
    invert: (pane) => pane.invert(),
    rotate: (pane) => pane.turn(1),
    flip: (pane) => pane.flip(false),
    upside: (pane) => pane.flip(true),
    reset: (pane) => pane.reset(),
    next: (pane) => pane.choose(pane.preset + 1),
    previous: (pane) => pane.choose(pane.preset < 0 ? -1 : pane.preset - 1),
    smooth: (pane) => {
      pane.smooth = !pane.smooth;
      pane.moved();
    },
  };
  const keys = {
    "+": "in", "=": "in", "-": "out", 0: "fit", 1: "one", i: "invert", r: "rotate", h: "flip", u: "upside", x: "reset", "]": "next", "[": "previous", m: "smooth",
    w: "level", o: "outline", s: "saliency",
  };
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  function arrow(pane, key, levelling) {
    const [dx, dy] = ARROWS[key];
    if (levelling) pane.level(dy * 0.02, dx * 0.08);
    else pane.pan(-dx * STEP, -dy * STEP);
  }

  // Wheel zooms, one pointer moves or levels (by `mode()`; the right button and Shift always level), two fingers pinch.
  // `tool(kind, point, event)` may take a single pointer for itself by returning true.
  function pointers(pane, mode, tool = () => false) {
    const { stage } = pane;
    const down = new Map();
    let last = null;
    let taken = false;
    stage.addEventListener("wheel", (event) => {
      event.preventDefault();
      if (pane.loaded) pane.zoomTo(pane.scale * Math.exp(-event.deltaY / 400), pane.toFilm(point(stage, event)));
    }, { passive: false });
    stage.addEventListener("contextmenu", (event) => event.preventDefault());
    stage.addEventListener("pointerdown", (event) => {
      if (event.target.closest("button, a, label, input, select") || event.button === 1 || !pane.loaded) return;
      stage.setPointerCapture(event.pointerId);
      down.set(event.pointerId, point(stage, event));
      if (down.size === 1 && event.button === 0 && !event.shiftKey) taken = tool("down", point(stage, event), event);
      else if (down.size === 2 && taken) {
        tool("cancel", point(stage, event), event);
        taken = false;
      }
      last = spread(down);
    });
    stage.addEventListener("pointermove", (event) => {
      if (!down.has(event.pointerId)) {
        if (pane.loaded) tool("hover", point(stage, event), event);
        return;
      }
      down.set(event.pointerId, point(stage, event));
      if (taken) {
        tool("move", point(stage, event), event);
        return;
      }
      const now = spread(down);
      const [dx, dy] = [now.x - last.x, now.y - last.y];
      if (down.size > 1) {
        pane.pan(dx, dy);
        if (last.apart) pane.zoomTo((pane.scale * now.apart) / last.apart, pane.toFilm([now.x, now.y]));
      } else if (event.shiftKey || event.buttons === 2 || mode() === "level") pane.level(dy / 500, dx / 200);
      else pane.pan(dx, dy);
      last = now;
    });
    const up = (event) => {
      if (!down.delete(event.pointerId)) return;
      if (taken) tool(event.type === "pointerup" ? "up" : "cancel", point(stage, event), event);
      taken = false;
      last = spread(down);
    };
    stage.addEventListener("pointerup", up);
    stage.addEventListener("pointercancel", up);
  }

  function spread(down) {
    const places = [...down.values()];
    if (!places.length) return null;
    const x = places.reduce((sum, place) => sum + place[0], 0) / places.length;
    const y = places.reduce((sum, place) => sum + place[1], 0) / places.length;
    const apart = places.length > 1 ? Math.hypot(places[0][0] - places[1][0], places[0][1] - places[1][1]) : 0;
    return { x, y, apart };
  }

  // Texts and pressed states of the controls inside `root` after the pane changed.
  function refresh(root, pane) {
    const set = (name, on) => root.querySelectorAll(`[data-film-do=${name}]`).forEach((button) => button.setAttribute("aria-pressed", String(on)));
    set("invert", pane.inverted);
    set("flip", pane.mirrored);
    const zoom = root.querySelector("[data-zoom-text]");
    if (zoom) zoom.textContent = `${Math.round(pane.scale * 100)} %`;
    const text = root.querySelector("[data-window-text]");
    if (text && pane.shown) text.textContent = windowWords(pane.shown);
    const select = root.querySelector("[data-presets]");
    if (!select) return;
    const names = pane.presets.map((preset) => preset.name);
    if (select.dataset.names !== names.join("|")) {
      select.dataset.names = names.join("|");
      select.replaceChildren(...names.map((name, index) => new Option(name, String(index))), new Option(gettext("Custom window"), "-1"));
    }
    select.value = String(pane.preset);
  }

  function windowWords({ entries, center, width }) {
    if (entries) return gettext("lookup table in the file");
    return interpolate(gettext("C %(center)s W %(width)s"), { center: figure(center), width: figure(width) }, true);
  }

  function figure(value) {
    return window.BoneScan.number(value, Math.abs(value) < 10 ? 2 : 0);
  }

  // The overlays of one stage: `kind` is outline or saliency. Returns whether it is shown afterwards, or null where there is none.
  function toggle(root, stage, kind, wanted) {
    const part = stage.querySelector(`[data-${kind}]`);
    if (!part) return null;
    const on = wanted === undefined ? part.getAttribute("visibility") === "hidden" : wanted;
    if (on && kind === "saliency" && !part.getAttribute("href")) part.setAttribute("href", part.dataset.href);
    part.setAttribute("visibility", on ? "visible" : "hidden");
    root.querySelectorAll(`[data-film-do=${kind}]`).forEach((button) => button.setAttribute("aria-pressed", String(on)));
    [root, stage].forEach((place) => place.querySelectorAll(`[data-${kind}-only]`).forEach((one) => (one.hidden = !on)));
    return on;
  }

  // One slider for each overlay: input[data-opacity=outline|saliency].
  function opacity(root, input, stages) {
    stages.forEach((stage) => stage.querySelectorAll(`[data-${input.dataset.opacity}]`).forEach((part) => part.setAttribute("opacity", String(input.value / 100))));
    const output = root.querySelector(`[data-opacity-text=${input.dataset.opacity}]`);
    if (output) output.textContent = `${input.value} %`;
  }

  // Whether a key is meant for something else than the film. Many keyboards write the brackets with Alt.
  function modified(event) {
    const bracket = event.key === "[" || event.key === "]";
    return event.metaKey || (!bracket && (event.altKey || event.ctrlKey));
  }

  Object.assign(window.BoneScan, { controls: { modified, actions, keys, ARROWS, arrow, pointers, refresh, toggle, opacity, point } });
})();
