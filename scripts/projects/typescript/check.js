// Each program with the oldest TypeScript that the library is for and with the newest one; all declarations are checked.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const STRICT = ["--strict", "--skipLibCheck", "false", "--exactOptionalPropertyTypes", "--target", "es2022"];
const NODE_NEXT = ["--module", "nodenext"];
const BUNDLER = ["--module", "esnext", "--moduleResolution", "bundler"];

compile("typescript57", [...NODE_NEXT, "--types", "node", "module.mts"]);
compile("typescript57", [...BUNDLER, "page.ts"]);
// CommonJS: by the old resolution, and from TypeScript 5.8 on by Node.js' own rules.
compile("typescript57", ["--module", "commonjs", "--moduleResolution", "node10", "--types", "node", "commonjs.cts"]);
run("commonjs.cjs");
compile("typescript", [...NODE_NEXT, "--types", "node", "module.mts", "commonjs.cts"]);
compile("typescript", [...BUNDLER, "page.ts"]);
run("commonjs.cjs");
run("module.mjs");

function compile(version, options) {
  const compiler = fileURLToPath(new URL(`./node_modules/${version}/bin/tsc`, import.meta.url));
  execFileSync(process.execPath, [compiler, ...STRICT, ...options], { stdio: "inherit" });
}

function run(program) {
  execFileSync(process.execPath, [program], { stdio: "inherit" });
}
