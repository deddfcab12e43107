// One film on a stage: loads its numbers, windows them, and draws them with zoom, shift, quarter turns and mirroring. Film coordinates are pixels of the canonical image.
(function () {
  "use strict";
  const { grey } = window.BoneScan;
  const MAX_SCALE = 16;
  // An 8-bit film as it is: 0 is black, 255 white.
  const AS_STORED = { center: 127.5, width: 255, function: "LINEAR_EXACT", explanation: gettext("as stored") };
  const CANONICAL = { scale: 1, offset: 0, inverted: false, padding: null, windows: [AS_STORED], voi_lut: null, default: "window" };

  // For measuring: the second frame begins when the first one, which shows what was drawn, is painted.
  function markPainted() {
    requestAnimationFrame(() => requestAnimationFrame(() => performance.mark("film-painted")));
  }

  // On a screen with other pixels a stage may keep its size in CSS pixels, which is all that its observer hears of.
  // Told through the document, so that nothing holds panes that are gone.
  function watchRatio() {
    const tell = () => {
      document.querySelectorAll("[data-pixels]").forEach((canvas) => canvas.dispatchEvent(new CustomEvent("film:ratio")));
      watchRatio();
    };
    window.matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`).addEventListener("change", tell, { once: true });
  }

  class LoadError extends Error {}

  async function answer(url, type) {
    let response;
    try {
      response = await fetch(url);
    } catch {
      throw new LoadError(gettext("The server cannot be reached. Check the network, then try again."));
    }
    if (response.redirected || response.status === 401) throw new LoadError(gettext("You are signed out. Sign in using another tab, then try again."));
    if (response.status === 404) throw new LoadError(gettext("The film is missing from the file store. Ask the operator to restore it from a backup."));
    if (!response.ok || !response.headers.get("Content-Type").startsWith(type)) throw new LoadError(gettext("The film cannot be read at the moment. Try again in a minute."));
    return response;
  }

  async function loadValues(film) {
    const bytes = new Uint8Array(await (await answer(film.values, "application/octet-stream")).arrayBuffer());
    const { rows, columns } = film.facts;
    return { values: grey.unpack(bytes, rows, columns), rows, columns, facts: film.facts };
  }

  async function loadOverview(film) {
    const bytes = new Uint8Array(await (await answer(film.overview, "application/octet-stream")).arrayBuffer());
    const { rows, columns } = film.facts.overview;
    return grey.unpack(bytes, rows, columns);
  }

  async function loadCanonical(film) {
    const blob = await (await answer(film.image, "image/png")).blob();
    const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" });
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
    const values = new Uint8Array(bitmap.width * bitmap.height);
    for (let at = 0; at < values.length; at++) values[at] = data[4 * at];
    return { values, rows: bitmap.height, columns: bitmap.width, facts: CANONICAL };
  }

  class Pane {
    // `stage` holds canvas[data-pixels] and svg[data-film] > g[data-scene]; `changed(pane, what)` hears of view, window, film,
    // and of the place that linked panes or the stage's size gave it.
    constructor(stage, changed = () => {}) {
      this.stage = stage;
      this.canvas = stage.querySelector("[data-pixels]");
      this.svg = stage.querySelector("svg[data-film]");
      this.scene = stage.querySelector("[data-scene]");
      this.changed = changed;
      this.presets = [];
      this.smooth = true;
      this.ratio = window.devicePixelRatio || 1;
      this.plain();
      this.canvas.addEventListener("film:ratio", () => this.resize());
      new ResizeObserver(() => this.resize()).observe(stage);
    }

    plain() {
      this.inverted = false;
      this.turns = 0;
      this.mirrored = false;
      this.fitted = true;
      this.scale = 1;
      this.centre = [0, 0];
    }

    async show(film) {
      const token = (this.token = {});
      this.film = film;
      this.loaded = null;
      this.source = null;
      this.presets = [];
      this.plain();
      delete this.stage.dataset.painted;
      this.context().clearRect(0, 0, this.canvas.width, this.canvas.height);
      this.scene.setAttribute("visibility", "hidden");
      this.say(gettext("Loading film"));
      try {
        if (film.overview) {
          const few = await loadOverview(film);
          if (this.token !== token) return;
          this.preview(few);
        }
        const loaded = await (film.values ? loadValues(film) : loadCanonical(film));
        if (this.token !== token) return;
        this.take(loaded);
      } catch (error) {
        if (this.token !== token) return;
        this.say(error instanceof LoadError ? error.message : gettext("This browser cannot show the film. Update the browser, or open the film on another computer."), true);
      }
      this.changed(this, "film");
    }

    // A large film as its overview shows it, until every pixel is here; it can be moved and zoomed already.
    preview(few) {
      const { facts } = this.film;
      const { rows, columns, step } = facts.overview;
      this.loaded = { rows: facts.rows, columns: facts.columns, facts };
      const list = grey.presets(facts, grey.histogram(few, facts.padding));
      this.shown = list[grey.first(facts, list)].shown;
      this.fit(false);
      const pixels = new ImageData(columns, rows);
      grey.paint(few, grey.table(facts, this.shown, this.inverted), pixels);
      const canvas = new OffscreenCanvas(columns, rows);
      canvas.getContext("2d", { alpha: false }).putImageData(pixels, 0, 0);
      const [across, down] = this.density();
      this.source = { canvas, width: (columns * step) / across, height: (rows * step) / down };
      this.draw();
      this.uncover();
      markPainted();
    }

    take(loaded) {
      this.loaded = loaded;
      this.counts = grey.histogram(loaded.values, loaded.facts.padding);
      this.pixels = new ImageData(loaded.columns, loaded.rows);
      const canvas = new OffscreenCanvas(loaded.columns, loaded.rows);
      this.source = { canvas, width: this.film.width, height: this.film.height };
      this.presets = grey.presets(loaded.facts, this.counts);
      this.preset = grey.first(loaded.facts, this.presets);
      this.shown = this.presets[this.preset].shown;
      if (this.fitted) this.fit(false);
      this.render();
      this.uncover();
      this.stage.dataset.painted = "1";
      markPainted();
    }

    uncover() {
      this.say("");
      this.scene.removeAttribute("visibility");
    }

    say(text, failed = false) {
      const line = this.stage.querySelector("[data-state]");
      if (!line) return;
      line.hidden = !text;
      line.querySelector("[data-state-text]").textContent = text;
      line.querySelector("[data-again]").hidden = !failed;
    }

    context() {
      return this.canvas.getContext("2d", { alpha: false });
    }

    // A new window: all greys again, then the view.
    render() {
      if (!this.presets.length) return this.draw();
      grey.paint(this.loaded.values, grey.table(this.loaded.facts, this.shown, this.inverted), this.pixels);
      this.source.canvas.getContext("2d", { alpha: false }).putImageData(this.pixels, 0, 0);
      this.draw();
      this.changed(this, "window");
    }

    // Once a frame. "render" draws too, so it stands for every "draw" that was asked for beside it.
    later(what) {
      if (this.next !== "render") this.next = what;
      if (this.waiting) return;
      this.waiting = requestAnimationFrame(() => {
        const { next } = this;
        this.waiting = this.next = null;
        this[next]();
      });
    }

    setWindow(shown, preset = -1) {
      this.shown = shown;
      this.preset = preset;
      this.later("render");
    }

    choose(preset) {
      if (!this.presets.length) return;
      const index = (preset + this.presets.length) % this.presets.length;
      this.setWindow(this.presets[index].shown, index);
    }

    // Move centre and width by shares of the film's full range.
    level(darker, wider) {
      if (!this.presets.length) return;
      const full = this.presets.find((one) => one.key === "full").shown;
      const now = this.shown.entries ? full : this.shown;
      const width = Math.max(full.width / 4096, now.width * Math.exp(wider));
      const away = this.loaded.facts.inverted !== this.inverted ? -1 : 1;
      const kind = now.function === "LINEAR" && width <= 1 ? "LINEAR_EXACT" : now.function;
      this.setWindow({ center: now.center + away * darker * full.width, width, function: kind });
    }

    invert() {
      this.inverted = !this.inverted;
      this.later("render");
    }

    turn(by = 1) {
      this.turns = (this.turns + by + 4) % 4;
      if (this.fitted) this.fit();
      else this.moved();
    }

    // Mirrors what stands before the eye: a mirror in front of a turn is the turn the other way behind the mirror.
    flip(upsideDown = false) {
      this.mirrored = !this.mirrored;
      this.turns = ((upsideDown ? 2 : 0) - this.turns + 4) % 4;
      this.moved();
    }

    reset() {
      this.plain();
      if (!this.loaded) return;
      if (this.presets.length) {
        this.preset = grey.first(this.loaded.facts, this.presets);
        this.shown = this.presets[this.preset].shown;
      }
      this.fit(false);
      this.render();
      this.changed(this, "view");
    }

    size() {
      return [this.film.width, this.film.height];
    }

    // Stored pixels for one canonical pixel along x and y; 1 but for films that were shrunk or squared.
    density() {
      return [this.loaded.columns / this.film.width, this.loaded.rows / this.film.height];
    }

    fitScale() {
      const [width, height] = this.turns % 2 ? this.size().reverse() : this.size();
      return Math.min(this.canvas.width / width, this.canvas.height / height) / this.density()[0];
    }

    fit(tell = true) {
      this.fitted = true;
      if (!this.loaded) return;
      this.centre = this.size().map((side) => side / 2);
      this.scale = this.fitScale();
      if (tell) this.moved();
    }

    zoomTo(scale, about) {
      if (!this.loaded) return;
      const next = Math.min(MAX_SCALE, Math.max(this.fitScale() / 2, scale));
      if (about) this.centre = this.centre.map((c, i) => about[i] + (c - about[i]) * (this.scale / next));
      this.scale = next;
      this.fitted = false;
      this.moved();
    }

    // By screen pixels (CSS).
    pan(dx, dy) {
      if (!this.loaded) return;
      const origin = this.toFilm([0, 0]);
      const moved = this.toFilm([-dx, -dy]);
      this.centre = this.centre.map((c, i) => Math.min(this.size()[i], Math.max(0, c + moved[i] - origin[i])));
      this.fitted = false;
      this.moved();
    }

    moved() {
      this.later("draw");
      this.changed(this, "view");
    }

    // Zoom relative to the fitted film and place as fractions: what linked panes share.
    get place() {
      return { zoom: this.scale / this.fitScale(), at: this.centre.map((c, i) => c / this.size()[i]), fitted: this.fitted };
    }

    set place({ zoom, at, fitted }) {
      if (!this.loaded) return;
      this.scale = zoom * this.fitScale();
      this.centre = at.map((share, i) => share * this.size()[i]);
      this.fitted = fitted;
      this.later("draw");
      this.changed(this, "place");
    }

    resize() {
      // Canvas and places follow one ratio, also in the moments before a change of the screen's is heard.
      const ratio = (this.ratio = window.devicePixelRatio || 1);
      this.canvas.width = Math.max(1, Math.round(this.stage.clientWidth * ratio));
      this.canvas.height = Math.max(1, Math.round(this.stage.clientHeight * ratio));
      this.svg.setAttribute("viewBox", `0 0 ${this.canvas.width / ratio} ${this.canvas.height / ratio}`);
      if (this.fitted) this.fit(false);
      this.draw();
      this.changed(this, "place");
    }

    // Film to device pixels. At 1:1 and above in whole steps the shift is whole too, so that no pixel is mixed from two.
    matrix() {
      const k = this.scale * this.density()[0];
      const angle = (this.turns * Math.PI) / 2;
      const [cos, sin] = [Math.round(Math.cos(angle)), Math.round(Math.sin(angle))];
      const [a, b, c, d] = [cos * k * (this.mirrored ? -1 : 1), sin * k * (this.mirrored ? -1 : 1), -sin * k, cos * k];
      let e = this.canvas.width / 2 - a * this.centre[0] - c * this.centre[1];
      let f = this.canvas.height / 2 - b * this.centre[0] - d * this.centre[1];
      if (Number.isInteger(this.scale)) [e, f] = [Math.round(e), Math.round(f)];
      return new DOMMatrix([a, b, c, d, e, f]);
    }

    toFilm([x, y]) {
      const point = new DOMPoint(x * this.ratio, y * this.ratio).matrixTransform(this.matrix().inverse());
      return [point.x, point.y];
    }

    toScreen([x, y]) {
      const point = new DOMPoint(x, y).matrixTransform(this.matrix());
      return [point.x / this.ratio, point.y / this.ratio];
    }

    draw() {
      const context = this.context();
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.fillStyle = "#000";
      context.fillRect(0, 0, this.canvas.width, this.canvas.height);
      if (!this.loaded || !this.source) return;
      const matrix = this.matrix();
      context.setTransform(matrix);
      context.imageSmoothingEnabled = this.scale !== 1 && (this.smooth || this.scale < 1);
      context.imageSmoothingQuality = "medium";
      context.drawImage(this.source.canvas, 0, 0, this.source.width, this.source.height);
      const { a, b, c, d, e, f } = new DOMMatrix().scale(1 / this.ratio).multiply(matrix);
      this.scene.setAttribute("transform", `matrix(${a} ${b} ${c} ${d} ${e} ${f})`);
      this.stage.dispatchEvent(new CustomEvent("film:drawn"));
    }
  }

  watchRatio();
  window.BoneScan.Pane = Pane;
})();
