// The reports page: select all, count what is selected, and keep an archive within its limit.
(function () {
  "use strict";
  const form = document.querySelector("[data-selection]");
  if (!form) return;
  const limit = Number(form.dataset.limit);
  const boxes = [...form.querySelectorAll('input[name="case"]')];
  const all = form.querySelector("[data-select-all]");
  const note = form.querySelector("[data-selected]");
  const button = form.querySelector('button[type="submit"]');
  const hint = note.textContent;
  all.hidden = false;

  function refresh() {
    const count = boxes.filter((box) => box.checked).length;
    all.checked = count > 0 && count === boxes.length;
    all.indeterminate = count > 0 && count < boxes.length;
    button.disabled = count === 0 || count > limit;
    if (count > limit) note.textContent = interpolate(gettext("%(count)s selected; an archive holds at most %(limit)s."), { count, limit }, true);
    else note.textContent = count ? interpolate(gettext("%(count)s selected"), { count }, true) : hint;
  }

  all.addEventListener("change", () => {
    boxes.forEach((box) => { box.checked = all.checked; });
    refresh();
  });
  form.addEventListener("change", refresh);
  window.addEventListener("pageshow", refresh);
  refresh();
})();
