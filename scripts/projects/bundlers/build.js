// A page with a worker, and a server: each bundler builds them without a warning, and what a server is bundled to runs.
import { spawnSync } from "node:child_process";
import { nodeResolve } from "@rollup/plugin-node-resolve";
import * as esbuild from "esbuild";
import { rollup } from "rollup";
import { build, createLogger } from "vite";
import webpack from "webpack";

const NODE = /^node:/;
const warnings = [];
const warn = (bundler) => (warning) => warnings.push(`${bundler}: ${warning.message ?? warning}`);

await viteBuild();
await esbuildBuild();
await rollupBuild();
await webpackBuild();
for (const bundler of ["esbuild", "rollup", "webpack"]) {
  const { stdout, stderr } = spawnSync(process.execPath, [`out/${bundler}/server.js`], { encoding: "utf8" });
  if (stdout !== "function 0\n") warn(bundler)(`the server does not run: ${stdout}${stderr}`);
}
if (warnings.length > 0) throw new Error(warnings.join("\n"));

async function viteBuild() {
  const customLogger = createLogger("warn");
  customLogger.warn = customLogger.warnOnce = warn("vite");
  await build({ customLogger, configFile: false, build: { outDir: "out/vite" } });
}

async function esbuildBuild() {
  const options = { bundle: true, minify: true, format: "esm", logLevel: "silent" };
  const page = { entryPoints: ["page.js", "worker.js"], outdir: "out/esbuild" };
  const server = { entryPoints: ["server.js"], outfile: "out/esbuild/server.js", platform: "node" };
  for (const what of [page, server]) {
    const result = await esbuild.build({ ...options, ...what });
    result.warnings.forEach((warning) => warn("esbuild")(warning.text));
  }
}

async function rollupBuild() {
  const plugins = [nodeResolve()];
  for (const input of ["page.js", "worker.js", "server.js"]) {
    const bundle = await rollup({ input, plugins, external: NODE, onwarn: warn("rollup") });
    await bundle.write({ dir: "out/rollup", format: "es" });
  }
}

async function webpackBuild() {
  const page = { target: "web", entry: { page: "./page.js" } };
  const server = { target: "node", entry: { server: "./server.js" }, experiments: { outputModule: true } };
  for (const what of [page, server]) {
    const output = { path: `${import.meta.dirname}/out/webpack`, filename: "[name].js", module: what === server };
    const stats = await new Promise((resolve, reject) => {
      webpack({ mode: "production", ...what, output }, (error, result) => (error ? reject(error) : resolve(result)));
    });
    const { errors, warnings: found } = stats.toJson({ all: false, errors: true, warnings: true });
    [...errors, ...found].forEach(({ moduleName, message }) => warn("webpack")(`${moduleName ?? ""} ${message}`));
  }
}
