import { defineConfig } from "vite";

/** The page of the inspector: built once, and served from its folder by `src/`. */
export default defineConfig({
  root: new URL("page", import.meta.url).pathname,
  base: "./",
  build: { outDir: "../dist/page", emptyOutDir: true },
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
});
