// Upload of several films: drag and drop or picker, one request, one progress bar and one answer per film. Without it the form posts all films at once.
(function () {
  "use strict";
  const AT_ONCE = 3;
  const NETWORK = gettext("The connection was interrupted. Check the network and upload this film again.");

  function size(bytes) {
    return bytes < 1048576 ? `${Math.max(1, Math.round(bytes / 1024))} KB` : `${window.BoneScan.number(bytes / 1048576, 1)} MB`;
  }

  // How many films arrived, and that those which did not say why.
  function tally(received, refused, all) {
    const arrived = ngettext("%(received)s of %(all)s film received.", "%(received)s of %(all)s films received.", all);
    const away = ngettext("%(refused)s rejected: the reason is shown next to the film.", "%(refused)s rejected: the reasons are shown next to the films.", refused);
    return interpolate(refused ? `${arrived} ${away}` : arrived, { received, refused, all }, true);
  }

  function start(form) {
    const picker = form.querySelector("input[type=file]");
    const list = form.querySelector("[data-files]");
    const drop = form.querySelector("[data-drop]");
    const result = form.querySelector("[data-result]");
    const caseLink = form.querySelector("[data-case]");
    const nextLink = form.querySelector("[data-next]");
    const submit = form.querySelector("[type=submit]");
    const template = document.querySelector("[data-file-template]");
    const limit = Number(form.querySelector("[data-max-bytes]").dataset.maxBytes);
    const groups = window.BoneScan.groups(form);
    let films = [];
    let busy = false;

    picker.required = false;
    form.querySelector("[data-plain]").hidden = true;

    function mark(film, state, text) {
      film.state = state;
      film.row.dataset.state = state;
      film.row.querySelector("[data-answer]").textContent = text;
      const fixed = state === "sending" || state === "accepted";
      film.row.querySelector("[data-view]").disabled = fixed;
      film.row.querySelector("[data-remove]").hidden = fixed;
    }

    function add(files) {
      for (const file of files) {
        const row = template.content.firstElementChild.cloneNode(true);
        const film = { file, row };
        row.querySelector("[data-name]").textContent = file.name;
        row.querySelector("[data-size]").textContent = size(file.size);
        row.querySelector("[data-view]").setAttribute("aria-label", interpolate(gettext("View of %(name)s"), { name: file.name }, true));
        row.querySelector("progress").setAttribute("aria-label", interpolate(gettext("Progress of %(name)s"), { name: file.name }, true));
        const remove = row.querySelector("[data-remove]");
        remove.setAttribute("aria-label", interpolate(gettext("Remove %(name)s"), { name: file.name }, true));
        remove.addEventListener("click", () => {
          films = films.filter((other) => other !== film);
          row.remove();
          offer();
          regroup();
          picker.focus();
        });
        films.push(film);
        list.append(row);
        if (file.size > limit) mark(film, "unfit", interpolate(gettext("Larger than the limit of %(size)s. Export a smaller file."), { size: size(limit) }, true));
        else if (!file.size) mark(film, "unfit", gettext("The file is empty. Export it again."));
        else mark(film, "ready", gettext("Ready"));
      }
      picker.value = "";
      offer();
      regroup();
    }

    function regroup() {
      groups.update(films.filter((film) => film.state !== "unfit"));
    }

    // Once the case is there, the button stands only while a film waits for it; such a film joins the same case.
    function offer() {
      const waits = films.some((film) => film.state === "ready" || film.state === "refused");
      submit.hidden = films.some((film) => film.state === "accepted") && !waits;
    }

    function answerOf(request) {
      try {
        return JSON.parse(request.responseText);
      } catch {
        return {};
      }
    }

    // A field as the page calls it.
    function fieldName(name) {
      if (name === picker.name) return gettext("Film");
      const [label] = form.elements[name]?.labels || [];
      return label ? label.textContent.trim() : name.replaceAll("_", " ");
    }

    function refusal(request) {
      const answer = answerOf(request);
      if (request.status === 401) document.dispatchEvent(new Event("session:ask"));
      if (request.status === 401) return gettext("Your session has ended. Sign in again and upload this film again.");
      const details = Object.entries(answer.fields || {})
        .filter(([, texts]) => texts.join(" ") !== answer.detail)
        .map(([name, texts]) => `${fieldName(name)}: ${texts.join(" ")}`);
      const text = [answer.detail, ...details].filter(Boolean).join(" ");
      if (text) return answer.code ? `${text} (${answer.code})` : text;
      if (request.status === 413) return gettext("The server rejected the file because of its size. (too_large)");
      return interpolate(gettext("The server answered with status %(status)s. Try again; if the error persists, inform the administrator."), { status: request.status }, true);
    }

    function send(film) {
      return new Promise((done) => {
        const data = new FormData(form);
        data.delete("image");
        data.set("view_position", film.row.querySelector("[data-view]").value);
        data.append("image", film.file);
        groups.fill(film, data);
        const bar = film.row.querySelector("progress");
        const request = new XMLHttpRequest();
        request.open("POST", form.action || window.location.href);
        request.setRequestHeader("Accept", "application/json");
        request.setRequestHeader("X-Requested-With", "XMLHttpRequest");
        request.upload.addEventListener("progress", (event) => {
          if (event.lengthComputable) bar.value = (100 * event.loaded) / event.total;
        });
        request.addEventListener("load", () => {
          if (request.status === 200 || request.status === 202) {
            const answer = answerOf(request);
            film.answer = answer;
            bar.value = 100;
            mark(film, "accepted", answer.created ? gettext("Received, waiting for analysis") : gettext("This film is already stored for this patient; its existing result applies."));
          } else {
            bar.value = 0;
            groups.release(film);
            mark(film, "refused", refusal(request));
          }
          done();
        });
        request.addEventListener("error", () => {
          bar.value = 0;
          groups.release(film);
          mark(film, "refused", NETWORK);
          done();
        });
        mark(film, "sending", gettext("Sending"));
        request.send(data);
      });
    }

    function conclude() {
      const accepted = films.filter((film) => film.state === "accepted");
      const refused = films.filter((film) => film.state === "refused" || film.state === "unfit");
      const notice = document.createElement("div");
      notice.className = `notice notice--${refused.length ? "warning" : "info"}`;
      notice.textContent = tally(accepted.length, refused.length, films.length);
      result.replaceChildren(notice);
      offer();
      if (!accepted.length) return;
      // A film that the patient already had lies in another case than the one that this upload made.
      const made = new Map(accepted.filter((film) => film.answer.created).map((film) => [film.answer.case, film]));
      caseLink.href = (made.size ? [...made.keys()][0] : accepted[0].answer.case) || "#";
      caseLink.hidden = made.size > 1;
      nextLink.hidden = false;
      caseLink.classList.toggle("btn-primary", !refused.length);
      if (made.size > 1) notice.append(links(made));
      (made.size > 1 ? notice.querySelector("a") : caseLink).focus();
    }

    // The cases that an upload made, by address.
    function links(made) {
      const list = document.createElement("ul");
      for (const [address, film] of made) {
        const link = Object.assign(document.createElement("a"), { href: address, textContent: groups.names(film) || film.file.name });
        const item = document.createElement("li");
        item.append(link);
        list.append(item);
      }
      return list;
    }

    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (busy) return;
      const queue = films.filter((film) => film.state === "ready" || film.state === "refused");
      if (!queue.length) {
        result.replaceChildren(Object.assign(document.createElement("div"), { className: "notice notice--error", textContent: gettext("Choose at least one film.") }));
        picker.focus();
        return;
      }
      busy = true;
      submit.disabled = true;
      result.replaceChildren();
      if (!(await groups.confirmed())) {
        busy = false;
        submit.disabled = false;
        return;
      }
      const next = async () => {
        const film = queue.shift();
        if (films.includes(film)) await send(film); // what was removed meanwhile is not sent
      };
      const worker = async () => {
        while (queue.length) await next();
      };
      // The first film makes the case; the others join it.
      if (!films.some((film) => film.state === "accepted")) await next();
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
      busy = false;
      submit.disabled = false;
      conclude();
    });

    picker.addEventListener("change", () => add([...picker.files]));
    for (const name of ["dragenter", "dragover"]) {
      drop.addEventListener(name, (event) => {
        event.preventDefault();
        drop.classList.add("is-over");
      });
    }
    for (const name of ["dragleave", "drop"]) {
      drop.addEventListener(name, () => drop.classList.remove("is-over"));
    }
    // A film that misses the zone must not replace the page.
    window.addEventListener("dragover", (event) => event.preventDefault());
    window.addEventListener("drop", (event) => {
      event.preventDefault();
      if (drop.contains(event.target)) add([...event.dataTransfer.files]);
    });
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("form[data-upload]").forEach(start);
  });
})();
