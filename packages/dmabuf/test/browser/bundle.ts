import { createRequire } from "node:module";
import { build, type BuildOptions } from "esbuild";

// The slash asks for the package of that name instead of Node's own module.
const PACKAGE = "assert/";

/** `node:assert/strict` for browsers, from the `assert` package. */
export async function bundleAssert(root: string): Promise<string> {
  const { strict } = createRequire(import.meta.url)(PACKAGE) as { strict: object };
  const contents = [
    `import assert from "${PACKAGE}";`,
    "export default assert.strict;",
    `export const { ${Object.keys(strict).join(", ")} } = assert.strict;`,
  ];
  return bundle({
    stdin: { contents: contents.join("\n"), resolveDir: root },
    // The package and its dependency `util` look at Node's process object.
    banner: { js: "const process = { env: {}, nextTick: queueMicrotask };" },
    define: { global: "globalThis" },
  });
}

/** A script with all that it imports, but for the modules without a path. */
export function bundleScript(file: string, external: string[]): Promise<string> {
  return bundle({ entryPoints: [file], external, target: "esnext" });
}

async function bundle(options: BuildOptions): Promise<string> {
  const { outputFiles } = await build({
    ...options,
    write: false,
    bundle: true,
    format: "esm",
    platform: "browser",
    logLevel: "warning",
  });
  return outputFiles[0]!.text;
}
