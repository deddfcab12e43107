// From a film's numbers to greys: unpacking, windows (DICOM PS3.3, C.11.2), inversion, padding, presets.
"use strict";
const assert = require("node:assert/strict");
const test = require("node:test");
const { grey } = require("./browser.js").load("viewer/grey.js");

const PLAIN = { scale: 1, offset: 0, inverted: false, padding: null };

// As inference/imaging/display.py packs: blocks of 64 rows, zigzag-coded differences, low bytes before high ones.
function packed(values, rows, columns) {
  const out = [];
  for (let first = 0; first < rows; first += 64) {
    const coded = [];
    for (let row = first; row < Math.min(rows, first + 64); row++) {
      let left = 0;
      for (let column = 0; column < columns; column++) {
        const value = values[row * columns + column];
        const step = ((value - left) << 16) >> 16;
        coded.push(((step << 1) ^ (step >> 31)) & 0xffff);
        left = value;
      }
    }
    out.push(...coded.map((code) => code & 0xff), ...coded.map((code) => code >> 8));
  }
  return Uint8Array.from(out);
}

test("what was packed is unpacked, over jumps of the whole range and blocks of any height", () => {
  const [rows, columns] = [130, 3];
  const values = Uint16Array.from({ length: rows * columns }, (_, at) => [0, 65535, 32768, 1, 40000][at % 5]);
  assert.deepEqual(grey.unpack(packed(values, rows, columns), rows, columns), values);
});

test("values of another size than the film's are refused", () => {
  assert.throws(() => grey.unpack(new Uint8Array(7), 2, 2), /another size/);
});

test("a linear window follows the standard to both of its ends", () => {
  // PS3.3 C.11.2.1.2.1 with centre 2048 and width 4096: black to 0, white from 4095.
  const shades = grey.table(PLAIN, { center: 2048, width: 4096, function: "LINEAR" });
  assert.equal(shades[0], 0);
  assert.equal(shades[4095], 255);
  assert.deepEqual([shades[2047], shades[2048]], [127, 128]);
});

test("a linear window of width 1 is a step", () => {
  const shades = grey.table(PLAIN, { center: 100, width: 1, function: "LINEAR" });
  assert.deepEqual([shades[98], shades[99], shades[100]], [0, 0, 255]);
});

test("an exact window has its middle at the centre and its ends half a width away", () => {
  const shades = grey.table(PLAIN, { center: 127.5, width: 255, function: "LINEAR_EXACT" });
  for (const value of [0, 1, 64, 128, 254, 255]) assert.equal(shades[value], value);
});

test("a sigmoid is grey at its centre and never leaves black and white", () => {
  const shades = grey.table(PLAIN, { center: 1000, width: 200, function: "SIGMOID" });
  assert.ok(Math.abs(shades[1000] - 127.5) <= 0.5);
  assert.ok(shades[900] < shades[1000] && shades[1000] < shades[1100]);
  assert.equal(shades[900] + shades[1100], 255);
  assert.deepEqual([shades[0], shades[65535]], [0, 255]);
});

test("a window is of modality values, so slope and intercept come first", () => {
  const facts = { ...PLAIN, scale: 2, offset: -100 };
  const shades = grey.table(facts, { center: 27.5, width: 255, function: "LINEAR_EXACT" });
  assert.equal(shades[0], 0); // 0 * 2 - 100 is the lower end
  assert.equal(shades[50], 100);
});

test("a table of the file is read at the rounded value and held at its ends", () => {
  const shades = grey.table(PLAIN, { first: 10, top: 4, entries: [0, 1, 2, 4] });
  assert.deepEqual([9, 10, 11, 12, 13, 60000].map((at) => shades[at]), [0, 0, 64, 128, 255, 255]);
});

test("inverting turns every grey around, and a film stored inverted is turned once", () => {
  const shown = { center: 127.5, width: 255, function: "LINEAR_EXACT" };
  const inverted = { ...PLAIN, inverted: true };
  assert.equal(grey.table(PLAIN, shown, true)[10], 245);
  assert.equal(grey.table(inverted, shown, false)[10], 245);
  assert.equal(grey.table(inverted, shown, true)[10], 10);
});

test("padding stays black, also on an inverted film", () => {
  const facts = { ...PLAIN, padding: [0, 5] };
  const shades = grey.table(facts, { center: 127.5, width: 255, function: "LINEAR_EXACT" }, true);
  assert.deepEqual([shades[0], shades[5], shades[6]], [0, 0, 249]);
});

test("every pixel is painted opaque in its grey", () => {
  const pixels = { data: new Uint8ClampedArray(8) };
  grey.paint(Uint16Array.from([3, 200]), grey.table(PLAIN, { center: 127.5, width: 255, function: "LINEAR_EXACT" }), pixels);
  assert.deepEqual([...pixels.data], [3, 3, 3, 255, 200, 200, 200, 255]);
});

test("presets cut the film's own numbers and leave padding out", () => {
  const values = Uint16Array.from({ length: 1100 }, (_, at) => (at < 100 ? 0 : at - 99)); // 100 of padding, then 1..1000
  const facts = { ...PLAIN, padding: [0, 0], windows: [] };
  const list = grey.presets(facts, grey.histogram(values, facts.padding));
  const ends = Object.fromEntries(list.map(({ key, shown }) => [key, [shown.center - shown.width / 2, shown.center + shown.width / 2]]));
  assert.deepEqual(ends, { automatic: [10, 990], bone: [500, 999], soft: [50, 700], full: [1, 1000] });
});

test("on a film stored inverted bone is the dark share of the numbers", () => {
  const values = Uint16Array.from({ length: 1000 }, (_, at) => at + 1);
  const list = grey.presets({ ...PLAIN, inverted: true, windows: [] }, grey.histogram(values, null));
  const { shown } = list.find((preset) => preset.key === "bone");
  assert.ok(shown.center + shown.width / 2 <= 500);
});

test("a film of one value still has a window", () => {
  const list = grey.presets({ ...PLAIN, windows: [] }, grey.histogram(new Uint16Array(9).fill(7), null));
  assert.ok(list.every(({ shown }) => shown.width === 1 && Number.isFinite(shown.center)));
});

test("the file's table and windows come before the presets, and the first is shown unless the file has none", () => {
  const window = { center: 5, width: 3, function: "LINEAR", explanation: "BONE" };
  const facts = { ...PLAIN, windows: [window, { ...window, explanation: "" }], voi_lut: { first: 0, top: 1, entries: [0, 1] }, default: "voi_lut" };
  const list = grey.presets(facts, grey.histogram(Uint16Array.from([1, 2]), null));
  assert.deepEqual(list.slice(0, 3).map(({ name }) => name), ["File: table", "File: bone", "File: 2"]);
  assert.equal(grey.first(facts, list), 0);
  assert.equal(list[grey.first({ ...facts, default: "auto" }, list)].key, "automatic");
});
