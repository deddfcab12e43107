// From a film's numbers to greys: unpacking what inference/imaging/display.py packed, windows (DICOM PS3.3, C.11.2), presets. Pure functions.
(function () {
  "use strict";
  const BLOCK_ROWS = 64;
  const LEVELS = 65536;

  // The inverse of display.pack: blocks of rows, low bytes before high bytes, zigzag-coded differences to the left neighbour.
  function unpack(bytes, rows, columns) {
    if (bytes.length !== 2 * rows * columns) throw new Error("values of another size");
    const values = new Uint16Array(rows * columns);
    let at = 0;
    let out = 0;
    for (let first = 0; first < rows; first += BLOCK_ROWS) {
      const count = Math.min(BLOCK_ROWS, rows - first) * columns;
      const high = at + count;
      for (let row = 0; row < count; row += columns) {
        let value = 0;
        for (let column = row; column < row + columns; column++) {
          const coded = bytes[at + column] | (bytes[high + column] << 8);
          value += (coded >>> 1) ^ -(coded & 1);
          values[out++] = value;
        }
      }
      at += 2 * count;
    }
    return values;
  }

  // The function of a window: modality value to 0..1 (PS3.3, C.11.2.1.2.1, C.11.2.1.3.1 and .2).
  function windowed({ center, width, function: kind }) {
    if (kind === "SIGMOID") return (x) => 1 / (1 + Math.exp((-4 * (x - center)) / width));
    if (kind === "LINEAR_EXACT") return (x) => (x - center) / width + 0.5;
    if (width === 1) return (x) => (x > center - 0.5 ? 1 : 0);
    return (x) => (x - (center - 0.5)) / (width - 1) + 0.5;
  }

  function tabled({ first, top, entries }) {
    return (x) => entries[Math.min(entries.length - 1, Math.max(0, Math.round(x) - first))] / top;
  }

  // Greys 0..255 for every stored number. `shown` is a window or a VOI LUT; inversion comes last (PS3.3, C.11.6).
  function table(facts, shown, inverted) {
    const grey = new Uint8ClampedArray(LEVELS);
    const map = shown.entries ? tabled(shown) : windowed(shown);
    for (let stored = 0; stored < LEVELS; stored++) grey[stored] = map(stored * facts.scale + facts.offset) * 255;
    if (Boolean(facts.inverted) !== Boolean(inverted)) for (let at = 0; at < LEVELS; at++) grey[at] = 255 - grey[at];
    if (facts.padding) grey.fill(0, facts.padding[0], facts.padding[1] + 1);
    return grey;
  }

  function paint(values, grey, pixels) {
    const words = new Uint32Array(pixels.data.buffer);
    const four = new Uint32Array(LEVELS);
    for (let at = 0; at < LEVELS; at++) four[at] = 0xff000000 | (grey[at] * 0x010101);
    for (let at = 0; at < values.length; at++) words[at] = four[values[at]];
  }

  function histogram(values, padding) {
    const counts = new Uint32Array(LEVELS);
    for (let at = 0; at < values.length; at++) counts[values[at]]++;
    if (padding) counts.fill(0, padding[0], padding[1] + 1);
    return counts;
  }

  // The stored number below which this share of the film lies.
  function quantile(counts, share) {
    let total = 0;
    for (let at = 0; at < LEVELS; at++) total += counts[at];
    const wanted = Math.max(1, share * total);
    let sum = 0;
    for (let at = 0; at < LEVELS; at++) {
      sum += counts[at];
      if (sum >= wanted) return at;
    }
    return LEVELS - 1;
  }

  // Presets from the film's own numbers, as shares of its pixels from dark to bright.
  const RANGES = [
    ["automatic", gettext("Automatic"), 0.01, 0.99],
    ["bone", gettext("Bone"), 0.5, 0.999],
    ["soft", gettext("Soft tissue"), 0.05, 0.7],
    ["full", gettext("Full range"), 0, 1],
  ];

  function presets(facts, counts) {
    const found = (facts.windows || []).map((window, index) => {
      const plain = facts.windows.length > 1 ? String(index + 1) : gettext("window");
      const name = window.explanation ? window.explanation.toLowerCase() : plain;
      return { name: interpolate(gettext("File: %(name)s"), { name }, true), shown: window };
    });
    if (facts.voi_lut) found.unshift({ name: gettext("File: table"), shown: facts.voi_lut });
    for (const [key, name, dark, bright] of RANGES) {
      const shares = facts.inverted ? [1 - bright, 1 - dark] : [dark, bright];
      const ends = shares.map((share) => quantile(counts, share) * facts.scale + facts.offset);
      const low = Math.min(...ends);
      const width = Math.max(...ends) - low || 1;
      found.push({ key, name, shown: { center: low + width / 2, width, function: "LINEAR_EXACT" } });
    }
    return found;
  }

  // The place of the preset that a film is shown with at first.
  function first(facts, list) {
    return Math.max(0, facts.default === "auto" ? list.findIndex((preset) => preset.key === "automatic") : 0);
  }

  window.BoneScan = Object.assign(window.BoneScan || {}, { grey: { unpack, table, paint, histogram, presets, first } });
})();
