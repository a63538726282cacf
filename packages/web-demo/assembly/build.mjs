/** Compiles motion.ts to two modules for the page, with SIMD and without: `node assembly/build.mjs`. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import asc from "assemblyscript/asc";

const HOME = import.meta.dirname;
const TARGET = join(HOME, "../page/workers/generated");

/** The memory is the page's: a shared one, which the streams' frames lie in. */
const FLAGS = [
  ...["--importMemory", "--sharedMemory", "--initialMemory", "1", "--maximumMemory", "16384"],
  ...["--enable", "threads", "--runtime", "stub", "--noAssert", "-O3", "--outFile", "motion.wasm"],
];
const BUILDS = { "motion-simd.wasm": ["--enable", "simd"], "motion.wasm": ["--disable", "simd"] };

mkdirSync(TARGET, { recursive: true });
for (const [name, flags] of Object.entries(BUILDS)) {
  let binary;
  const { error, stderr } = await asc.main(["motion.ts", ...FLAGS, ...flags], {
    readFile: (file) => (file === "motion.ts" ? readFileSync(join(HOME, file), "utf8") : null),
    writeFile: (_, contents) => (binary = contents),
    listFiles: () => [],
  });
  if (error !== null) throw new Error(`${name} does not compile:\n${stderr.toString()}`);
  writeFileSync(join(TARGET, name), binary);
}
