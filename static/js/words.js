// What scripts say and how they write numbers. Where the page's language has a catalogue, Django's script of it came before
// and brought these functions (bonescan/words.py); else texts stay English.
(function () {
  "use strict";
  const english = {
    gettext: (text) => text,
    ngettext: (one, many, count) => (count === 1 ? one : many),
    interpolate: (text, values) => text.replace(/%\(\w+\)s/g, (place) => String(values[place.slice(2, -2)])),
  };
  for (const [name, say] of Object.entries(english)) if (!(name in window)) window[name] = say;

  const writers = new Map();

  // A number with so many decimals and the decimal sign of the page's language.
  function number(value, decimals = 0) {
    if (!writers.has(decimals)) {
      const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals, useGrouping: false };
      writers.set(decimals, new Intl.NumberFormat(document.documentElement.lang || "en", digits));
    }
    return writers.get(decimals).format(value + 0); // no minus before a zero
  }

  window.BoneScan = Object.assign(window.BoneScan || {}, { number });
})();
