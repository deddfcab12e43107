// Sets the theme before the first paint: runs in <head>, without defer. The choice is kept in this browser only.
(function () {
  "use strict";
  const KEY = "bonescan-theme";
  const root = document.documentElement;
  const lightSystem = window.matchMedia("(prefers-color-scheme: light)");

  function choice() {
    try {
      return localStorage.getItem(KEY) || "dark";
    } catch {
      return "dark"; // storage can be forbidden by the browser; the page still works
    }
  }

  function apply() {
    const chosen = choice();
    root.dataset.theme = chosen === "system" ? (lightSystem.matches ? "light" : "dark") : chosen;
    document.querySelectorAll("[data-theme-choice]").forEach((button) => {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === chosen));
    });
  }

  apply();
  lightSystem.addEventListener("change", apply);
  document.addEventListener("DOMContentLoaded", apply);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-theme-choice]");
    if (!button) return;
    try {
      localStorage.setItem(KEY, button.dataset.themeChoice);
    } catch {
      root.dataset.theme = button.dataset.themeChoice;
      return;
    }
    apply();
  });
})();
