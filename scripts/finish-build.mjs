/**
 * After the compiler: outputs whose source is gone are removed, the programs may be started, and the library's modules
 * share what `using` is compiled to, and have `Symbol.dispose` also where the engine has none.
 */
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const PACKAGES = join(import.meta.dirname, "../packages");
const LIBRARY = join(PACKAGES, "dmabuf/dist/src");
/** A helper of the compiler's, with its name. */
const HELPER = /^var (__\w+) = \(this && this\.\1\) \|\| [^]*?^\}\)?(?:\(typeof[^]*?^\}\))?;\n/gm;

const USING = join(LIBRARY, "using.js");
const CODE_LINE = /^(?!\s*(?:\*|\/[/*])).*$/gm;
const SYMBOL = /\bSymbol\.(dispose|asyncDispose)\b/g;
const SYMBOLS = { dispose: "DISPOSE", asyncDispose: "ASYNC_DISPOSE" };

for (const name of readdirSync(PACKAGES)) {
  const home = join(PACKAGES, name);
  const dist = join(home, "dist");
  for (const output of existsSync(dist) ? readdirSync(dist, { recursive: true }) : []) {
    const source = output.match(/^(.*?)(\.d\.ts|\.js)(\.map)?$/)?.[1];
    // A page is Vite's.
    if (source === undefined || source.startsWith("page/")) continue;
    if (![".ts", ".tsx"].some((ending) => existsSync(join(home, source + ending)))) rmSync(join(dist, output));
  }
  const { bin = {} } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
  for (const program of Object.values(bin)) chmodSync(join(home, program), 0o755);
}

for (const output of readdirSync(LIBRARY, { recursive: true })) {
  const path = join(LIBRARY, output);
  if (output.endsWith(".js") && !output.endsWith(".test.js") && path !== USING) importUsing(path);
}

/** The compiler's helpers, of whose `this` rollup warns in each module, and the symbols come from `src/using.ts`. */
function importUsing(path) {
  const code = readFileSync(path, "utf8");
  const names = [...code.matchAll(HELPER)].map(([, name]) => name);
  const rest = code.replaceAll(HELPER, "").replace(CODE_LINE, (line) =>
    line.replace(SYMBOL, (_, name) => {
      if (!names.includes(SYMBOLS[name])) names.push(SYMBOLS[name]);
      return SYMBOLS[name];
    }),
  );
  if (rest.includes("(this && this.__")) throw new Error(`${path}: a helper of the compiler's has another form`);
  if (names.length === 0) return;
  if (/__addDisposableResource\(.*, true\);/.test(rest)) throw new Error(`${path}: using.ts has no "await using"`);
  const using = relative(dirname(path), USING);
  const from = using.startsWith(".") ? using : `./${using}`;
  writeFileSync(path, `import { ${names.join(", ")} } from "${from}";\n${rest}`);
}
