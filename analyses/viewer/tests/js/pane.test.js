// Where a point of the film stands on the screen: zoom, shift, quarter turns, mirrors, linked panes, screens with other pixels.
"use strict";
const assert = require("node:assert/strict");
const test = require("node:test");
const { Pane } = require("./browser.js").load("viewer/grey.js", "viewer/pane.js");

// A pane over a canvas of so many device pixels, with a film in it but nothing to draw on.
function pane({ width = 400, height = 300, film = [200, 100], stored = film, ratio = 1 } = {}) {
  const made = Object.create(Pane.prototype);
  const loaded = { columns: stored[0], rows: stored[1] };
  Object.assign(made, { canvas: { width, height }, film: { width: film[0], height: film[1] }, loaded, ratio, presets: [], changed() {} });
  made.plain();
  made.fit(false);
  return made;
}

function near(found, wanted) {
  found.forEach((value, axis) => assert.ok(Math.abs(value - wanted[axis]) < 1e-9, `${found} is not ${wanted}`));
}

test("a fitted film fills the narrower side and stands in the middle", () => {
  const shown = pane();
  assert.equal(shown.scale, 2);
  near(shown.toScreen([0, 0]), [0, 50]);
  near(shown.toScreen([200, 100]), [400, 250]);
});

test("a film turned by a quarter is fitted by its other side", () => {
  const shown = pane();
  shown.turn(1);
  assert.equal(shown.scale, 1.5);
  near(shown.toScreen([0, 0]), [275, 0]); // the upper left corner comes to the upper right
  near(shown.toScreen([200, 0]), [275, 300]);
});

test("a point goes to the screen and back under every turn, mirror, zoom and screen", () => {
  for (const ratio of [1, 1.25, 2])
    for (const turns of [0, 1, 2, 3])
      for (const mirrored of [false, true]) {
        const shown = Object.assign(pane({ ratio, stored: [400, 200] }), { turns, mirrored });
        shown.zoomTo(1.7, [30, 40]);
        near(shown.toFilm(shown.toScreen([12.5, 77])), [12.5, 77]);
      }
});

test("zooming keeps the point under the pointer where it is", () => {
  const shown = pane();
  const before = shown.toScreen([30, 40]);
  shown.zoomTo(3.3, [30, 40]);
  near(shown.toScreen([30, 40]), before);
});

test("zoom ends at sixteen pixels for one and at half of the fitted size", () => {
  const shown = pane();
  shown.zoomTo(1000);
  assert.equal(shown.scale, 16);
  shown.zoomTo(0);
  assert.equal(shown.scale, shown.fitScale() / 2);
});

test("at whole steps of zoom the film starts on a whole pixel of the screen", () => {
  const shown = pane({ width: 401, height: 301 });
  shown.zoomTo(3);
  const { e, f } = shown.matrix();
  assert.ok(Number.isInteger(e) && Number.isInteger(f));
});

test("scale 1 shows one stored pixel on one pixel of the screen, also of a film kept smaller", () => {
  const shown = pane({ stored: [400, 200] });
  shown.zoomTo(1);
  const [[x0], [x1]] = [shown.toScreen([0, 0]), shown.toScreen([1, 0])];
  assert.equal(x1 - x0, 2); // one canonical pixel holds two stored ones
});

test("moving by screen pixels follows the finger and stops at the edge of the film", () => {
  for (const turns of [0, 1, 2, 3]) {
    const shown = Object.assign(pane({ ratio: 2 }), { turns });
    shown.zoomTo(4);
    const before = shown.toScreen([90, 40]);
    shown.pan(7, -5);
    near(shown.toScreen([90, 40]), [before[0] + 7, before[1] - 5]);
    shown.pan(-1e6, -1e6);
    assert.ok(shown.centre.every((value, axis) => value >= 0 && value <= shown.size()[axis]));
  }
});

test("flipping mirrors what stands before the eye, whatever the turn", () => {
  for (const turns of [0, 1, 2, 3]) {
    const shown = Object.assign(pane(), { turns });
    shown.fit(false);
    const [x, y] = shown.toScreen([20, 30]);
    shown.flip(false);
    near(shown.toScreen([20, 30]), [400 - x, y]);
    shown.flip(false);
    shown.flip(true);
    near(shown.toScreen([20, 30]), [x, 300 - y]);
  }
});

test("linked panes share place and zoom as fractions, whatever the size of their films", () => {
  const [one, other] = [pane(), pane({ film: [1000, 500], width: 800, height: 600 })];
  one.zoomTo(3, [50, 50]);
  other.place = one.place;
  near(other.centre.map((c, axis) => c / other.size()[axis]), one.centre.map((c, axis) => c / one.size()[axis]));
  near([other.scale / other.fitScale()], [one.scale / one.fitScale()]);
});

test("levelling moves a window by shares of the film's range and never to nothing", () => {
  const shown = pane();
  shown.presets = [{ key: "full", shown: { center: 500, width: 1000, function: "LINEAR_EXACT" } }];
  Object.assign(shown, { shown: { center: 500, width: 1000, function: "LINEAR_EXACT" }, loaded: { ...shown.loaded, facts: { inverted: false } } });
  shown.level(0.1, 0);
  assert.equal(shown.shown.center, 600);
  shown.level(0, -100);
  assert.equal(shown.shown.width, 1000 / 4096);
  shown.inverted = true;
  shown.level(0.1, 0);
  assert.equal(shown.shown.center, 500); // on an inverted film darker is the other way
});

test("a linear window drawn to a width of 1 or less becomes an exact one", () => {
  const shown = pane();
  const full = { center: 50, width: 100, function: "LINEAR_EXACT" };
  Object.assign(shown, { presets: [{ key: "full", shown: full }], shown: { center: 50, width: 2, function: "LINEAR" }, loaded: { ...shown.loaded, facts: {} } });
  shown.level(0, -1);
  assert.equal(shown.shown.function, "LINEAR_EXACT");
});
