// The verification page: hashes the chosen PDF here, asks for the hash only, and shows the answer.
// js-sha256 rather than SubtleCrypto, which browsers withhold from pages that came over plain http.
(function () {
  "use strict";
  const form = document.getElementById("verify-form");
  const field = document.getElementById("document");
  const drop = document.getElementById("drop");
  const input = document.getElementById("file");
  const verdict = document.getElementById("verdict");
  const MAX_BYTES = 100 * 1024 * 1024;
  let latest = 0;

  function show(tone, headline, advice, links) {
    const notice = document.createElement("div");
    notice.className = `notice notice--${tone}`;
    const title = document.createElement("strong");
    title.textContent = headline;
    const text = document.createElement("p");
    text.textContent = advice;
    notice.append(title, text);
    for (const [url, label] of links || []) {
      if (!url) continue;
      const line = document.createElement("p");
      const link = document.createElement("a");
      link.href = url;
      link.textContent = label;
      line.append(link);
      notice.append(line);
    }
    verdict.replaceChildren(notice);
    verdict.scrollIntoView({ block: "nearest" });
  }

  async function lookUp(fingerprint, turn) {
    let answer;
    try {
      const url = `${form.dataset.lookup}${encodeURIComponent(fingerprint)}/`;
      const response = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" });
      answer = await response.json();
      if (turn !== latest) return;
      if (!response.ok) return show("error", gettext("No answer"), answer.detail);
    } catch {
      if (turn === latest) show("error", gettext("No answer"), gettext("The portal cannot be reached. Check the connection and try again."));
      return;
    }
    show(answer.tone, answer.headline, answer.advice, [
      [answer.case_url, gettext("Open the case")],
      [answer.report_url, gettext("Download the report as issued")],
    ]);
  }

  async function check(file) {
    const turn = ++latest;
    if (file.size > MAX_BYTES) return show("error", gettext("No answer"), gettext("This file is too large to be a report."));
    show("info", gettext("Computing the fingerprint"), gettext("The file stays in this browser."));
    let bytes;
    try {
      bytes = await file.arrayBuffer();
    } catch {
      return show("error", gettext("No answer"), gettext("The file cannot be read. Choose it again."));
    }
    const fingerprint = sha256(bytes);
    if (turn !== latest) return;
    field.value = fingerprint;
    await lookUp(fingerprint, turn);
  }

  drop.hidden = false;
  input.addEventListener("change", () => {
    if (input.files.length) check(input.files[0]);
    input.value = "";
  });
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.add("is-over");
    });
  }
  for (const name of ["dragleave", "drop"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.remove("is-over");
    });
  }
  drop.addEventListener("drop", (event) => {
    if (event.dataTransfer.files.length) check(event.dataTransfer.files[0]);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const typed = field.value.trim();
    if (typed) lookUp(typed, ++latest);
  });
})();
