/** No import circle: a module can be read after those that it imports. An import of a type counts. */

export default {
  forbidden: [{ name: "no-circle", severity: "error", from: {}, to: { circular: true } }],
  options: {
    tsPreCompilationDeps: true,
    doNotFollow: { path: ["node_modules"] },
    exclude: { path: ["dist/"] },
    enhancedResolveOptions: { extensions: [".ts", ".tsx", ".mjs", ".js"] },
  },
};
