// Starts the interactive API reference from this host's own files. Nothing is asked of any other host.
(function () {
  "use strict";
  const page = document.documentElement;
  const place = document.getElementById("swagger-ui");

  // Swagger UI has a dark sheet of its own, switched by a class.
  function followTheme() {
    page.classList.toggle("dark-mode", page.dataset.theme === "dark");
  }

  // Who reads this is signed in already, and a browser lets no script set that cookie: only a token can be typed.
  function withoutSession(schema) {
    delete schema.components.securitySchemes.Session;
    for (const methods of Object.values(schema.paths)) {
      for (const operation of Object.values(methods)) {
        operation.security = operation.security.filter((scheme) => !("Session" in scheme));
      }
    }
    return schema;
  }

  // Swagger UI would fill every field with a made-up value and send it: what nobody typed must stay empty.
  function withoutInventions(schema) {
    const film = schema.components.schemas.FilmRequest;
    for (const [name, property] of Object.entries(film.properties)) {
      if (!film.required.includes(name)) property.example = "";
    }
    return schema;
  }

  // A token that was pasted alone gets its word; a session's write gets the CSRF header.
  function complete(request) {
    const authorization = request.headers.Authorization;
    if (authorization) {
      request.headers.Authorization = authorization.includes(" ") ? authorization : `Token ${authorization}`;
    } else if (request.method !== "GET") {
      request.headers["X-CSRFToken"] = place.dataset.csrfToken;
    }
    return request;
  }

  // The page has its main landmark already.
  function noSecondMain({ React }) {
    const create = React.createElement;
    React.createElement = (type, ...rest) => create(type === "main" ? "div" : type, ...rest);
    return {};
  }

  // Swagger UI leaves controls without a name.
  function nameControls() {
    place.querySelectorAll("select:not([aria-label]), input:not([aria-label]):not([id]), textarea:not([aria-label])").forEach((control) => {
      const row = control.closest("tr");
      const name = row?.querySelector(".parameter__name, .response-col_status");
      control.setAttribute("aria-label", name ? name.textContent.trim() : control.title || gettext("Media type"));
    });
  }

  function start(schema) {
    SwaggerUIBundle({
      spec: withoutInventions(withoutSession(schema)),
      domNode: place,
      presets: [SwaggerUIBundle.presets.apis],
      plugins: [noSecondMain],
      layout: "BaseLayout",
      deepLinking: false,
      validatorUrl: null,
      defaultModelsExpandDepth: 0,
      requestInterceptor: complete,
    });
    new MutationObserver(nameControls).observe(place, { childList: true, subtree: true });
  }

  followTheme();
  new MutationObserver(followTheme).observe(page, { attributeFilter: ["data-theme"] });
  fetch(place.dataset.schemaUrl)
    .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(String(answer.status)))))
    .then(start)
    .catch(() => {
      place.textContent = gettext("The schema could not be loaded. Reload the page.");
    });
})();
