// Loads the portal's scripts into node: the little of a browser that the viewer's arithmetic asks for, and nothing that is drawn.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const vm = require("node:vm");

const SCRIPTS = path.resolve(__dirname, "../../../../static/js");

// An affine map as in the Geometry Interfaces Module (CSS): x' = a x + c y + e, y' = b x + d y + f.
class DOMMatrix {
  constructor([a, b, c, d, e, f] = [1, 0, 0, 1, 0, 0]) {
    Object.assign(this, { a, b, c, d, e, f });
  }

  inverse() {
    const { a, b, c, d, e, f } = this;
    const det = a * d - b * c;
    return new DOMMatrix([d / det, -b / det, -c / det, a / det, (c * f - d * e) / det, (b * e - a * f) / det]);
  }
}

class DOMPoint {
  constructor(x, y) {
    Object.assign(this, { x, y });
  }

  matrixTransform({ a, b, c, d, e, f }) {
    return new DOMPoint(a * this.x + c * this.y + e, b * this.x + d * this.y + f);
  }
}

Object.assign(globalThis, {
  window: globalThis,
  document: { documentElement: { lang: "en" } },
  matchMedia: () => ({ addEventListener() {} }),
  devicePixelRatio: 1,
  requestAnimationFrame: () => 0,
  DOMMatrix,
  DOMPoint,
});

// What these scripts of static/js put on window.BoneScan; words.js comes first, as on every page.
function load(...names) {
  for (const name of ["words.js", ...names]) vm.runInThisContext(fs.readFileSync(path.join(SCRIPTS, name), "utf8"), { filename: name });
  return globalThis.BoneScan;
}

module.exports = { load };
