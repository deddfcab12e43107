// What is said and drawn while a measurement is made.
"use strict";
const assert = require("node:assert/strict");
const test = require("node:test");
const { shapes } = require("./browser.js").load("viewer/shapes.js");

test("a length is in pixels where the file states no spacing", () => {
  assert.equal(shapes.words("length", [[0, 0], [3, 4]], null), "5.0 px");
});

test("a length counts rows and columns each by their own spacing", () => {
  // Pixel Spacing is row spacing, then column spacing (DICOM PS3.3, 10.7.1.3).
  assert.equal(shapes.words("length", [[0, 0], [10, 0]], [0.5, 0.2]), "2.0 mm");
  assert.equal(shapes.words("length", [[0, 0], [0, 10]], [0.5, 0.2]), "5.0 mm");
});

test("an angle is that between its two arms, whichever is drawn first", () => {
  const arms = [[10, 0], [0, 0], [0, 10]];
  assert.equal(shapes.words("angle", arms, null), "90.0°");
  assert.equal(shapes.words("angle", [...arms].reverse(), null), "90.0°");
});

test("an angle is never above 180 degrees, also across the seam of the arc tangent", () => {
  assert.equal(shapes.words("angle", [[-10, 1], [0, 0], [-10, -1]], null), "11.4°");
  assert.equal(shapes.words("angle", [[-10, 0], [0, 0], [10, 0]], null), "180.0°");
});

test("an angle on pixels that are no squares is that of the bone", () => {
  assert.equal(shapes.words("angle", [[10, 0], [0, 0], [10, 10]], [1, 1]), "45.0°");
  assert.equal(shapes.words("angle", [[10, 0], [0, 0], [10, 10]], [1, 2]), "26.6°");
});

test("nothing is said before there are enough points, nor of regions", () => {
  assert.equal(shapes.words("length", [[0, 0]], null), "");
  assert.equal(shapes.words("angle", [[0, 0], [1, 1]], null), "");
  assert.equal(shapes.words("ellipse", [[0, 0], [1, 1]], null), "");
});

const place = ([x, y]) => [2 * x, 2 * y];

test("a rectangle is closed through its four corners, placed on the screen", () => {
  assert.equal(shapes.path("rectangle", [[1, 2], [3, 5]], place), "M2.0,4.0L6.0,4.0L6.0,10.0L2.0,10.0Z");
});

test("lines stay open, outlines are closed, one point draws nothing", () => {
  assert.equal(shapes.path("length", [[0, 0], [1, 1]], place), "M0.0,0.0L2.0,2.0");
  assert.equal(shapes.path("freehand", [[0, 0], [1, 0], [1, 1]], place), "M0.0,0.0L2.0,0.0L2.0,2.0Z");
  assert.equal(shapes.path("length", [[0, 0]], place), "");
});

test("an ellipse stays in its box, whichever corner it was begun in", () => {
  const numbers = (text) => text.slice(1, -1).split("L").map((pair) => pair.split(",").map(Number));
  for (const points of [[[10, 20], [30, 60]], [[30, 60], [10, 20]]]) {
    const drawn = numbers(shapes.path("ellipse", points, (point) => point));
    const [xs, ys] = [drawn.map(([x]) => x), drawn.map(([, y]) => y)];
    assert.deepEqual([Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)], [10, 30, 20, 60]);
  }
});
