// vite.config.js: the two headers that shared memory needs
const headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cache-Control": "no-store", // WebKit loads no module of a worker when the answer is that it has not changed
};

export default { server: { headers }, preview: { headers }, worker: { format: "es" }, build: { target: "es2022" } };
