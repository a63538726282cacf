/** No import circle: a module can be read after those that it imports. An import of a type counts. */

/** Folders whose circles are being untied. Nothing is added here. */
const TANGLED = ["src/queue/"];

export default {
  forbidden: [{ name: "no-circle", severity: "error", from: { pathNot: TANGLED }, to: { circular: true } }],
  options: {
    tsPreCompilationDeps: true,
    doNotFollow: { path: ["node_modules"] },
    exclude: { path: ["dist/"] },
    enhancedResolveOptions: { extensions: [".ts", ".mjs", ".js"] },
  },
};
