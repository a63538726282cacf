/**
 * Compiles the protocols of src/protocol/assembly to WebAssembly, in two builds, and writes them into a module of the
 * library: `node scripts/protocol.mjs`. It does nothing if they have not changed.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import asc from "assemblyscript/asc";
import { filesIn, ROOT } from "./files.mjs";
import { assemblyScript } from "./layout.mjs";

const HOME = "packages/dmabuf/src/protocol";

/** The builds: with atomic instructions on a shared memory, and with words that are imported. */
const BUILDS = {
  atomic: ["--importMemory", "--sharedMemory", "--initialMemory", "1", "--maximumMemory", "65536"],
  // A memory of its own would take gigabytes of addresses, of which there may be too few.
  words: ["--use", "MODEL=1", "--noExportMemory"],
};
const FLAGS = [
  "--enable",
  "threads",
  "--runtime",
  "stub",
  "--noAssert",
  "-O2",
  "--converge",
  "--outFile",
  "protocol.wasm",
];

/** The sources by their names, with the layout that they import. */
export function sources() {
  const files = filesIn(`${HOME}/assembly`, /\.ts$/, ROOT);
  const texts = files.map((file) => [
    file.slice(file.lastIndexOf("/") + 1),
    readFileSync(join(ROOT, `${HOME}/assembly`, file.slice(file.lastIndexOf("/") + 1)), "utf8"),
  ]);
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

async function main() {
  const texts = sources();
  const mark = createHash("sha256")
    .update(JSON.stringify([...texts, BUILDS, FLAGS]))
    .digest("hex")
    .slice(0, 16);
  const out = join(ROOT, HOME, "binary.ts");
  const header = `// Made by scripts/protocol.mjs from the sources in assembly/: ${mark}`;
  if (existsSync(out) && readFileSync(out, "utf8").startsWith(header)) return;
  const lines = [header];
  for (const build of Object.keys(BUILDS)) {
    const binary = await compile(texts, build);
    lines.push(`export const ${build.toUpperCase()} = "${Buffer.from(binary).toString("base64")}";`);
    console.log(`protocol: ${build} ${binary.length} bytes`);
  }
  writeFileSync(out, `${lines.join("\n")}\n`);
}

if (process.argv[1] === import.meta.filename) await main();
