import { defineConfig } from "vite";

/** What makes a page cross-origin isolated, so that it has shared memory. Its workers' scripts need the second one too. */
const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

/** The page: `vite build` makes files for any host, `vite` and `vite preview` serve them isolated. */
export default defineConfig({
  root: new URL("page", import.meta.url).pathname,
  base: "./",
  build: { outDir: "../dist/page", emptyOutDir: true, target: "es2022", assetsInlineLimit: 0 },
  // Workers are modules: one script for all of them, which loads the part that a worker plays. The library is a chunk of its
  // own: else it would be in that script, and WebKit runs a worker's script once more for each part that imports it.
  worker: { format: "es", rollupOptions: { output: { manualChunks: { dmabuf: ["dmabuf", "dmabuf/web"] } } } },
  server: { headers: ISOLATION },
  preview: { headers: ISOLATION },
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
});
