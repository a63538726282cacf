import { createRequire } from "node:module";
import { join } from "node:path";
import { build } from "esbuild";

// The slash asks for the package of that name instead of Node's own module.
const PACKAGE = "assert/";

/** Writes dist/browser/assert.js: `node:assert/strict` for browsers, from the `assert` package. */
export async function bundleAssert(root: string): Promise<void> {
  const { strict } = createRequire(import.meta.url)(PACKAGE) as { strict: object };
  const contents = [
    `import assert from "${PACKAGE}";`,
    "export default assert.strict;",
    `export const { ${Object.keys(strict).join(", ")} } = assert.strict;`,
  ];
  await build({
    stdin: { contents: contents.join("\n"), resolveDir: root },
    outfile: join(root, "dist/browser/assert.js"),
    bundle: true,
    format: "esm",
    platform: "browser",
    // The package and its dependency `util` look at Node's process object.
    banner: { js: "const process = { env: {}, nextTick: queueMicrotask };" },
    define: { global: "globalThis" },
    logLevel: "warning",
  });
}
