// Starts the interactive API reference from this host's own files. Nothing is asked of any other host.
(function () {
  "use strict";
  const place = document.getElementById("swagger-ui");

  // A token that was pasted alone gets its word; a session's write gets the CSRF header.
  function complete(request) {
    const authorization = request.headers.Authorization;
    if (authorization) {
      request.headers.Authorization = authorization.includes(" ") ? authorization : "Token " + authorization;
    } else if (request.method !== "GET") {
      request.headers["X-CSRFToken"] = place.dataset.csrfToken;
    }
    return request;
  }

  SwaggerUIBundle({
    url: place.dataset.schemaUrl,
    domNode: place,
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
    deepLinking: false,
    validatorUrl: null,
    defaultModelsExpandDepth: 0,
    requestInterceptor: complete,
  });
})();
