// The reading page of a study: one film with its answer at a time, keys for the readings, no likelihood for "cannot tell". All works without it.
(function () {
  "use strict";
  const KEYS = { n: "normal", b: "benign", m: "malignant", c: "cannot_tell" };

  function showFilm(number) {
    const films = document.querySelectorAll("[data-films] > .film");
    films.forEach((film) => {
      film.hidden = film.dataset.filmNumber !== number;
      film.querySelectorAll("[data-show-film]").forEach((button) => {
        button.setAttribute("aria-pressed", String(button.dataset.showFilm === number));
      });
    });
    document.querySelectorAll("[data-answer-film]").forEach((answer) => (answer.hidden = answer.dataset.answerFilm !== number));
  }

  function start() {
    const form = document.querySelector("form[data-reader-study-reading]");
    if (!form) return;
    const likelihood = form.querySelector("[name=likelihood]");
    let typed = "";

    function follow() {
      const chosen = form.querySelector("[name=reading]:checked");
      const none = Boolean(chosen) && chosen.value === "cannot_tell";
      if (none && !likelihood.disabled) {
        typed = likelihood.value;
        likelihood.value = "";
      } else if (!none && likelihood.disabled) {
        likelihood.value = typed;
      }
      likelihood.disabled = none;
    }

    form.addEventListener("change", follow);
    document.addEventListener("keydown", (event) => {
      const value = KEYS[event.key.toLowerCase()];
      if (!value || event.altKey || event.ctrlKey || event.metaKey) return;
      if (event.target.closest("select, textarea")) return; // there letters choose an entry; in the likelihood they choose a reading
      event.preventDefault();
      form.querySelector(`[name=reading][value=${value}]`).checked = true;
      follow();
      (likelihood.disabled ? form.querySelector("button[type=submit]") : likelihood).focus();
    });
    document.addEventListener("click", (event) => {
      const button = event.target.closest("[data-show-film]");
      if (!button) return;
      showFilm(button.dataset.showFilm);
      document.querySelector(`[data-film-number="${button.dataset.showFilm}"] .stage`).focus();
    });
    const first = document.querySelector("[data-films] > .film");
    if (first) showFilm(first.dataset.filmNumber);
    follow();
  }
  document.addEventListener("DOMContentLoaded", start);
})();
