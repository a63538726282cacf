/**
 * Compiles the protocols of src/protocol/assembly in two builds, and writes them into a module of the library:
 * `node scripts/protocol.mjs`. It does nothing if they have not changed.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import asc from "assemblyscript/asc";
import binaryen from "binaryen";
import { transform } from "esbuild";
import { ROOT } from "./files.mjs";
import { assemblyScript } from "./layout.mjs";

const HOME = "packages/dmabuf/src/protocol";

/** The builds: with atomic instructions on a shared memory, and with words that are imported, which becomes JavaScript. */
const BUILDS = {
  atomic: ["--importMemory", "--sharedMemory", "--initialMemory", "1", "--maximumMemory", "65536"],
  // Conversions that JavaScript would have to imitate are left out.
  words: ["--use", "MODEL=1", "--noExportMemory", "--disable", "nontrapping-f2i"],
};
const FLAGS = [
  "--enable",
  "threads",
  "--runtime",
  "stub",
  "--noAssert",
  "-O3",
  "--converge",
  "--outFile",
  "protocol.wasm",
];

/** The sources by their names, with the layout that they import. */
export function sources() {
  const home = join(ROOT, HOME, "assembly");
  const names = readdirSync(home).filter((name) => name.endsWith(".ts"));
  const texts = names.sort().map((name) => [name, readFileSync(join(home, name), "utf8")]);
  return new Map([...texts, ["layout.ts", assemblyScript()]]);
}

/** @param build A name of BUILDS. @throws {Error} With what the compiler says. */
export async function compile(texts, build) {
  let binary;
  const { error, stderr } = await asc.main(["index.ts", ...FLAGS, ...BUILDS[build]], {
    readFile: (name) => texts.get(name) ?? null,
    writeFile: (_, contents) => (binary = contents),
    listFiles: () => [],
  });
  if (error !== null) throw new Error(`The protocols do not compile:\n${stderr.toString()}`);
  return binary;
}

/** A `words` build as the source of a function: it takes what the build imports, and returns its functions. */
export async function javaScript(binary) {
  const module = binaryen.readBinary(binary);
  module.setFeatures(binaryen.Features.All);
  refuseState(module);
  const [, build] = module.emitAsmjs().match(/^(function asmFunc\(.*?^\})$/ms);
  module.dispose();
  const { code } = await transform(`export ${build.replace("asmFunc", "words")}`, { minify: true, target: "es2022" });
  return code.trim();
}

/** A constant that the compiler cannot work out becomes a variable, and no constant for the optimizer. */
function refuseState(module) {
  const globals = Array.from({ length: module.getNumGlobals() }, (_, i) => module.getGlobalByIndex(i));
  const variables = globals.map((global) => binaryen.getGlobalInfo(global)).filter(({ mutable }) => mutable);
  if (variables.length > 0) throw new Error(`Variables in a protocol: ${variables.map(({ name }) => name).join(", ")}`);
}

/** Bytes as text that compresses well: src/protocol/module.ts reads it. */
export function textOf(bytes) {
  const character = (rest) => String.fromCharCode(rest < 57 ? rest + 35 : rest + 36);
  return Array.from(bytes, (byte) => ["", " ", "!"][Math.floor(byte / 91)] + character(byte % 91)).join("");
}

async function main() {
  const texts = sources();
  const mark = createHash("sha256")
    .update(JSON.stringify([...texts, readFileSync(import.meta.filename, "utf8")]))
    .digest("hex")
    .slice(0, 16);
  const out = join(ROOT, HOME, "binary.ts");
  const header = `// Made by scripts/protocol.mjs from the sources in assembly/: ${mark}`;
  if (existsSync(out) && readFileSync(out, "utf8").startsWith(header)) return;
  const atomic = Buffer.from(await compile(texts, "atomic"));
  const words = await javaScript(await compile(texts, "words"));
  const lines = [header, "// @ts-nocheck", `export const ATOMIC = "${textOf(atomic)}";`, words];
  writeFileSync(out, `${lines.join("\n")}\n`);
  console.log(`protocol: ${atomic.length} bytes of WebAssembly, ${words.length} of JavaScript`);
}

if (process.argv[1] === import.meta.filename) await main();
