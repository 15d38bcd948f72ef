// The document is that of the service this page comes from, and no validator elsewhere is asked about it.
window.onload = () => {
  SwaggerUIBundle({
    url: "openapi.json",
    dom_id: "#document",
    deepLinking: true,
    validatorUrl: null,
    tryItOutEnabled: false,
    docExpansion: "none",
    defaultModelsExpandDepth: 0,
  });
};
