// The shapes of measurements: how many points they take, their outline as an SVG path, and what can be said while one is drawn. Pure functions.
(function () {
  "use strict";
  const { number } = window.BoneScan;
  const KINDS = ["length", "angle", "rectangle", "ellipse", "freehand"];
  const NEEDS = { length: 2, angle: 3, rectangle: 2, ellipse: 2, freehand: Infinity };

  // Corners of what stands on the screen; `points` are in film coordinates, the result too, so that turned films stay right.
  function corners(kind, points) {
    const [[x0, y0], [x1, y1]] = points;
    if (kind === "rectangle") return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
    const centre = [(x0 + x1) / 2, (y0 + y1) / 2];
    const half = [Math.abs(x1 - x0) / 2, Math.abs(y1 - y0) / 2];
    return Array.from({ length: 64 }, (_, step) => {
      const angle = (step * Math.PI) / 32;
      return [centre[0] + half[0] * Math.cos(angle), centre[1] + half[1] * Math.sin(angle)];
    });
  }

  // The path on the screen; `place` takes a film point there.
  function path(kind, points, place) {
    if (points.length < 2) return "";
    const closed = kind !== "length" && kind !== "angle";
    const drawn = closed && kind !== "freehand" ? corners(kind, points) : points;
    const text = drawn.map((point) => place(point).map((value) => value.toFixed(1)).join(",")).join("L");
    return `M${text}${closed ? "Z" : ""}`;
  }

  // Length and angle while they are drawn; regions are measured by the server alone.
  function words(kind, points, spacing) {
    const [row, column] = spacing || [1, 1];
    const flat = points.map(([x, y]) => [x * column, y * row]);
    if (kind === "length" && points.length > 1) {
      const long = Math.hypot(flat[1][0] - flat[0][0], flat[1][1] - flat[0][1]);
      return `${number(long, 1)} ${spacing ? "mm" : "px"}`;
    }
    if (kind === "angle" && points.length > 2) {
      const [one, two] = [flat[0], flat[2]].map((end) => Math.atan2(end[1] - flat[1][1], end[0] - flat[1][0]));
      const turn = Math.abs(((one - two) * 180) / Math.PI);
      return `${number(turn > 180 ? 360 - turn : turn, 1)}°`;
    }
    return "";
  }

  window.BoneScan.shapes = { KINDS, NEEDS, path, words };
})();
