// The cases that the chosen films make, shown and corrected before anything is sent: headers are read on the server, in its sandbox, from the
// beginning of each file. Without an answer the films are sent as one case, and the server keeps apart what does not belong together.
(function () {
  "use strict";
  const HEAD_BYTES = 256 * 1024;
  const AT_ONCE = 40;

  // Random also where the page came over plain HTTP, which has no crypto.randomUUID.
  function newKey() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  }

  // A picture names nobody: it need not be asked.
  function isPicture(file) {
    return file.type.startsWith("image/") && !file.type.includes("dicom");
  }

  window.BoneScan.groups = function groups(form) {
    const address = form.dataset.groups;
    const section = form.querySelector("[data-proposal]");
    let films = [];
    let cases = [];
    let turn = 0;
    let last = Promise.resolve();
    let shown = "";

    async function ask(some, unread) {
      const data = new FormData();
      data.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
      data.set("known", JSON.stringify(some.map((film) => film.header || null)));
      for (const film of unread) data.append("image", film.file.slice(0, HEAD_BYTES), film.file.name);
      const answer = await fetch(address, { method: "POST", body: data, headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(String(answer.status));
      const found = await answer.json();
      some.forEach((film, place) => {
        film.header = found.headers[place];
      });
      return found;
    }

    // All headers, some files at a time; the last answer is about all films.
    async function readAll(all, mine) {
      let found = { cases: [] };
      do {
        const unread = all.filter((film) => !film.header).slice(0, AT_ONCE);
        found = await ask(all.filter((film) => film.header || unread.includes(film)), unread);
      } while (mine === turn && all.some((film) => !film.header));
      return found.cases.map((one) => ({ ...one, films: one.films.map((place) => all[place]) }));
    }

    async function read(mine) {
      const all = films;
      for (const film of all) film.header ||= isPicture(film.file) ? {} : null;
      const found = await readAll(all, mine).catch(() => []);
      if (mine !== turn) return;
      cases = found;
      assign();
      show();
    }

    function assign() {
      for (const one of cases) {
        // What was filed already stays in its case, and what belongs to it follows.
        const filed = one.films.find((film) => film.key);
        if (filed) one.key = filed.key;
        else if (cases.length === 1) one.key = form.elements.case_key.value;
        for (const film of one.films) {
          film.proposed = one;
          if (!film.key) film.group = one;
        }
      }
    }

    function name(one) {
      return interpolate(gettext("Case %(number)s: %(patient)s"), { number: cases.indexOf(one) + 1, patient: one.patient }, true);
    }

    function choose(film, value) {
      if (value === "new") {
        film.group = { key: newKey(), patient: gettext("new case"), about: "", entries: !Object.keys(film.header || {}).length };
        cases.push(film.group);
      } else film.group = cases[Number(value)];
      show();
      film.row.querySelector("[data-group]").focus();
    }

    function showFilm(film) {
      const select = film.row.querySelector("[data-group]");
      select.hidden = films.length < 2 || !cases.length;
      if (select.hidden) return;
      const options = cases.map((one, place) => new Option(name(one), String(place), false, film.group === one));
      select.replaceChildren(...options, new Option(gettext("New case"), "new"));
      select.disabled = Boolean(film.key);
      select.setAttribute("aria-label", interpolate(gettext("Case of %(name)s"), { name: film.file.name }, true));
      select.onchange = () => choose(film, select.value);
    }

    function line(one) {
      const number = films.filter((film) => film.group === one).length;
      const item = document.createElement("li");
      const strong = document.createElement("strong");
      strong.textContent = one.patient;
      const small = document.createElement("span");
      small.classList.add("small", "muted");
      small.textContent = [interpolate(ngettext("%(number)s film", "%(number)s films", number), { number }, true), one.about].filter(Boolean).join(", ");
      item.append(strong, " ", small);
      return item;
    }

    function show() {
      cases = cases.filter((one) => films.some((film) => film.group === one));
      section.hidden = cases.length < 2;
      const all = films.length;
      const made = cases.length;
      const from = interpolate(ngettext("%(all)s film", "%(all)s films", all), { all }, true);
      const to = interpolate(ngettext("%(made)s case", "%(made)s cases", made), { made }, true);
      section.querySelector("[data-summary]").textContent = `${from} → ${to}`;
      section.querySelector("[data-cases]").replaceChildren(...cases.map(line));
      section.querySelector("[data-entries]").hidden = cases.every((one) => one.entries);
      films.forEach(showFilm);
    }

    return {
      // Read what is new among these films and show the cases anew.
      update(chosen) {
        films = chosen;
        turn += 1;
        const mine = turn;
        last = address && films.length > 1 ? read(mine) : Promise.resolve(hide());
        return last;
      },
      // Whether the films may be sent: several cases are shown first, and once more where they changed.
      async confirmed() {
        await last;
        const now = cases.map((one) => one.key).join();
        if (cases.length < 2 || shown === now) return true;
        shown = now;
        section.querySelector("[data-summary]").focus();
        return false;
      },
      // What is sent with a film.
      fill(film, data) {
        const one = film.group;
        if (!one) return;
        data.set("case_key", one.key);
        film.key = one.key;
        film.row.querySelector("[data-group]").disabled = true;
        // Whichever film of a case that was put together by hand comes first, the others are to join it.
        if (films.some((other) => other.group === one && other.proposed !== one)) data.set("together", "on");
        if (one.entries || cases.length < 2) return;
        const kept = ["csrfmiddlewaretoken", "case_key", "view_position", "again", "together", "image"];
        for (const field of [...data.keys()]) if (!kept.includes(field)) data.delete(field);
      },
      // A film that was refused may still go elsewhere.
      release(film) {
        film.key = "";
        showFilm(film);
      },
      names: (film) => (film.group && cases.length > 1 ? name(film.group) : ""),
    };

    function hide() {
      cases = [];
      if (section) section.hidden = true;
      for (const film of films) {
        film.group = null;
        film.row.querySelector("[data-group]").hidden = true;
      }
    }
  };
})();
