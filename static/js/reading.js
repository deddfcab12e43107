// The reading form: writes text from the structure, points out contradictions, and keeps what is typed on this computer
// until it is saved. The text of a field that somebody edited is never replaced; the new text is offered beside it.
(function () {
  "use strict";
  const PREFIX = "bonescan-reading:";
  const LONGEST_MS = 24 * 3600 * 1000;
  const WRITTEN = ["findings_text", "impression"];
  const NOT_KEPT = ["csrfmiddlewaretoken", "model_reading", "version", "template", "confirmed"];

  const store = {
    get(key) {
      try {
        return JSON.parse(localStorage.getItem(key) || "null");
      } catch {
        return null; // storage can be forbidden by the browser, or hold what another program wrote
      }
    },
    set(key, entry) {
      try {
        localStorage.setItem(key, JSON.stringify(entry));
      } catch {
        // Full or forbidden: the page works on without the copy.
      }
    },
    remove(key) {
      try {
        localStorage.removeItem(key);
      } catch {
        // As above.
      }
    },
    keys() {
      try {
        return Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));
      } catch {
        return [];
      }
    },
  };

  function fieldsOf(form) {
    const kept = {};
    for (const [name, value] of new FormData(form)) if (!NOT_KEPT.includes(name)) kept[name] = value;
    return kept;
  }

  class ReadingForm {
    constructor(form) {
      this.form = form;
      this.key = PREFIX + form.dataset.reading;
      this.written = {};
      this.touched = new Set();
      this.running = null;
      this.timer = 0;
      this.version = this.value("version"); // the page's own, which no reset brings back
      this.restore();
      this.show();
      this.check(form.dataset.filled === "yes");
      form.addEventListener("input", (event) => this.changed(event));
      form.querySelectorAll("[data-rewrite] button").forEach((button) => {
        button.addEventListener("click", () => this.take(button.closest("[data-rewrite]")));
      });
      const discard = form.querySelector("[data-discard]");
      discard.addEventListener("click", () => {
        this.rest();
        store.remove(this.key);
        form.reset();
        form.elements.version.value = this.version;
        this.touched.clear();
        form.querySelector("[data-restored]").hidden = true;
        this.show();
        this.check(false);
      });
    }

    value(name) {
      const field = this.form.elements[name];
      return field ? field.value : "";
    }

    // No check that waits or runs may write into the form or keep it from now on.
    rest() {
      clearTimeout(this.timer);
      if (this.running) this.running.abort();
    }

    sent() {
      this.rest();
      this.keep(true);
    }

    keep(sent) {
      if (!this.form.isConnected) return; // the page's body was replaced, and another form keeps its own
      store.set(this.key, { at: Date.now(), version: this.value("version"), sent, fields: fieldsOf(this.form) });
    }

    // What was typed and not saved comes back. On a draft that was saved elsewhere meanwhile it keeps its old version, so
    // that the server refuses to overwrite and shows both.
    restore() {
      const entry = store.get(this.key);
      const bound = this.form.dataset.bound === "yes";
      if (entry && !bound && !(entry.sent && entry.version !== this.value("version"))) {
        const differs = JSON.stringify(entry.fields) !== JSON.stringify(fieldsOf(this.form));
        if (differs) {
          for (const [name, value] of Object.entries(entry.fields)) {
            if (this.form.elements[name]) this.form.elements[name].value = value;
          }
          this.form.elements.version.value = entry.version;
          this.form.querySelector("[data-restored]").hidden = false;
          this.form.querySelector("[data-findings]").open = true;
          return;
        }
      }
      if (bound) this.keep(false);
      else store.remove(this.key);
    }

    changed(event) {
      const name = event.target.name;
      this.rest(); // an answer on its way would speak of the form as it was before
      if (WRITTEN.includes(name)) this.touched.add(name);
      if (name !== "confirmed" && name !== "template") this.keep(false);
      this.show();
      this.timer = setTimeout(() => this.check(true), 250);
    }

    // Fields that mean something only beside a certain answer.
    show() {
      this.form.querySelectorAll("[data-shown-with]").forEach((part) => {
        const [name, wanted] = part.dataset.shownWith.split("=");
        part.hidden = this.value(name) !== wanted && !part.querySelector(".errorlist");
      });
      const model = this.form.dataset.modelReading;
      if (!model) return;
      const reading = this.value("reading");
      const overrules = Boolean(reading) && reading !== model;
      const part = this.form.querySelector("[data-disagreement]");
      part.hidden = !overrules;
      if (reading) {
        const words = overrules ? this.form.dataset.overrules : this.form.dataset.agrees;
        this.form.querySelector("[data-agreement]").textContent = words;
      }
    }

    async check(byHand) {
      if (this.running) this.running.abort();
      this.running = new AbortController();
      let answer;
      try {
        const response = await fetch(this.form.dataset.check, {
          method: "POST",
          body: new FormData(this.form),
          headers: { "X-Requested-With": "fetch", Accept: "application/json" },
          signal: this.running.signal,
        });
        if (!response.ok) return;
        answer = await response.json();
      } catch {
        return; // away or superseded: signing asks the same questions again
      }
      this.point(answer.contradictions);
      const refusals = this.form.querySelector("[data-bone-rads]");
      if (refusals) {
        refusals.replaceChildren(
          ...answer.bone_rads.map((text) => Object.assign(document.createElement("li"), { textContent: text })),
        );
      }
      WRITTEN.forEach((name) => this.write(name, answer[name], byHand));
      if (byHand) this.keep(false);
    }

    // The same contradictions stay where they are, with the boxes and the focus as the reader set them.
    point(html) {
      const part = this.form.querySelector("[data-contradictions]");
      const fresh = document.createElement("div");
      fresh.innerHTML = html;
      const words = (element) => element.textContent.replace(/\s+/g, " ").trim();
      if (words(fresh) !== words(part)) part.replaceChildren(...fresh.childNodes);
    }

    write(name, text, byHand) {
      const field = this.form.elements[name];
      const box = this.form.querySelector(`[data-rewrite="${name}"]`);
      const before = this.written[name];
      this.written[name] = text;
      const own = field.value !== "" ? field.value !== before : this.touched.has(name);
      if (byHand && !own) field.value = text;
      box.querySelector("[data-proposal]").textContent = text;
      box.hidden = !byHand || !text || field.value === text;
    }

    take(box) {
      const name = box.dataset.rewrite;
      this.form.elements[name].value = this.written[name];
      this.touched.delete(name);
      box.hidden = true;
      this.form.elements[name].focus();
      this.keep(false);
    }
  }

  let current = null;

  function begin() {
    for (const key of store.keys()) {
      const entry = store.get(key);
      if (!entry || !(Date.now() - entry.at < LONGEST_MS)) store.remove(key);
    }
    const done = document.querySelector("[data-reading-done]");
    if (done) store.remove(PREFIX + done.dataset.readingDone);
    const form = document.querySelector("form[data-reading]");
    if (form && !form.dataset.ready) {
      form.dataset.ready = "yes";
      current = new ReadingForm(form);
    }
  }

  document.addEventListener("DOMContentLoaded", begin);
  document.addEventListener("htmx:afterSettle", begin);
  // On the document and after ui.js, whose question may be answered with "Cancel": then nothing is sent.
  document.addEventListener("submit", (event) => {
    if (!event.defaultPrevented && current && event.target === current.form) current.sent();
  });
})();
