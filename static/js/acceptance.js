// Films of a site acceptance: sent in several requests of a few films, so that a folder of any size fits. Without it the form posts all films at once.
(function () {
  "use strict";
  const AT_ONCE = 10;
  const MOST_BYTES = 33554432;
  const NETWORK = gettext("The connection was interrupted. Upload the films again: those already received are kept.");

  // Groups of films that one request carries; a film larger than the limit of a request goes alone.
  function batches(files) {
    const found = [];
    let bytes = 0;
    for (const file of files) {
      const last = found[found.length - 1];
      if (!last || last.length >= AT_ONCE || bytes + file.size > MOST_BYTES) {
        found.push([file]);
        bytes = file.size;
      } else {
        last.push(file);
        bytes += file.size;
      }
    }
    return found;
  }

  async function send(form, films) {
    const body = new FormData();
    body.append("csrfmiddlewaretoken", form.querySelector("[name=csrfmiddlewaretoken]").value);
    for (const film of films) body.append("films", film, film.name);
    const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" }, redirect: "error" });
    const told = await answer.json();
    if (!answer.ok) throw new Error(told.detail);
    return told;
  }

  function start(form) {
    const result = form.querySelector("[data-result]");
    const bar = form.querySelector("progress");
    const button = form.querySelector("[type=submit]");
    let busy = false;

    form.addEventListener("submit", async (event) => {
      const films = [...form.querySelectorAll("input[type=file]")].flatMap((input) => [...input.files]).filter((film) => !film.name.toLowerCase().endsWith(".csv"));
      if (!films.length) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (busy) return;
      busy = true;
      button.disabled = true;
      const total = { stored: 0, unknown: 0, refused: 0, doubled: 0 };
      let done = 0;
      try {
        for (const part of batches(films)) {
          const told = await send(form, part);
          for (const name of Object.keys(total)) total[name] += told[name];
          done += part.length;
          bar.value = bar.max - told.lacking;
          result.textContent = interpolate(gettext("%(done)s of %(all)s files sent."), { done, all: films.length }, true);
        }
        if (total.unknown || total.refused || total.doubled) {
          result.textContent = interpolate(gettext("%(stored)s films received; %(unknown)s without a row in the label file, %(refused)s empty or too large, %(doubled)s identical to another film. Reload the page to go on."), total, true);
        } else window.location.reload();
      } catch (error) {
        result.textContent = error instanceof TypeError || error instanceof SyntaxError ? NETWORK : error.message;
      }
      busy = false;
      button.disabled = false;
    }, true);
  }

  for (const form of document.querySelectorAll("[data-acceptance]")) start(form);
})();
