/**
 * Compiles the protocols of src/protocol/assembly in three builds, and writes each into a module of the library:
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

const SHARED = ["--importMemory", "--sharedMemory", "--initialMemory", "1", "--maximumMemory", "65536"];

/**
 * The builds: with atomic instructions on a shared memory; the same for the small entry, with what that calls, and for size;
 * and with words that are imported, which becomes JavaScript.
 */
const BUILDS = {
  atomic: ["index.ts", "-O3", ...SHARED],
  streams: ["streams.ts", "-O2", ...SHARED],
  // Conversions that JavaScript would have to imitate are left out.
  words: ["index.ts", "-O3", "--use", "MODEL=1", "--noExportMemory", "--disable", "nontrapping-f2i"],
};
const FLAGS = ["--enable", "threads", "--runtime", "stub", "--noAssert", "--converge", "--outFile", "protocol.wasm"];

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
  const { error, stderr } = await asc.main([...BUILDS[build], ...FLAGS], {
    readFile: (name) => texts.get(name) ?? null,
    writeFile: (_, contents) => (binary = contents),
    listFiles: () => [],
  });
  if (error !== null) throw new Error(`The protocols do not compile:\n${stderr.toString()}`);
  return binary;
}

/** A binary of the same functions that is as small as the optimizer can make it. */
export function shrunk(binary) {
  const module = binaryen.readBinary(binary);
  module.setFeatures(binaryen.Features.All);
  binaryen.setOptimizeLevel(2);
  binaryen.setShrinkLevel(2);
  module.optimize();
  const small = module.emitBinary();
  module.dispose();
  return small;
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
  const header = `// Made by scripts/protocol.mjs from the sources in assembly/: ${mark}`;
  const files = ["atomic", "streams", "words"].map((build) => join(ROOT, HOME, `${build}-binary.ts`));
  if (files.every((file) => existsSync(file) && readFileSync(file, "utf8").startsWith(header))) return;
  const atomic = await compile(texts, "atomic");
  const streams = shrunk(await compile(texts, "streams"));
  const words = await javaScript(await compile(texts, "words"));
  const contents = [
    `export const ATOMIC = "${textOf(atomic)}";`,
    `export const STREAMS_ATOMIC = "${textOf(streams)}";`,
    words,
  ];
  for (const [i, file] of files.entries()) writeFileSync(file, `${header}\n// @ts-nocheck\n${contents[i]}\n`);
  console.log(
    `protocol: ${atomic.length} bytes of WebAssembly, ${streams.length} for streams, ${words.length} of JavaScript`,
  );
}

if (process.argv[1] === import.meta.filename) await main();
