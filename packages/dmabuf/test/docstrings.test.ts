/** Each `@example` of a documentation comment compiles against the package as a program of a user's, and runs. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import ts from "typescript";

const PACKAGE = join(import.meta.dirname, "../..");
/** In the package, so that the programs import it by its name. */
const FOLDER = join(PACKAGE, "dist/docstrings");

interface Example {
  /** `fence-fence-127`, for line 127 of `fence/fence.ts`. */
  readonly name: string;
  readonly code: string;
  /** It needs a device, and is only compiled. */
  readonly isForDevice: boolean;
}

/** All examples in a source: the code blocks of its documentation comments that follow `@example`. */
function examplesIn(path: string, text: string): Example[] {
  return [...text.matchAll(/^ *\* @example[^\n]*\n *\* ```ts( device)?\n(.*?)^ *\* ```$/gms)].map((match) => ({
    name: `${path.replaceAll("/", "-").replace(/\.ts$/, "")}-${text.slice(0, match.index).split("\n").length}`,
    code: match[2]!.replaceAll(/^ *\* ?/gm, ""),
    isForDevice: match[1] !== undefined,
  }));
}

const sources = readdirSync(join(PACKAGE, "src"), { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
  .map((path) => ({ path, text: readFileSync(join(PACKAGE, "src", path), "utf8") }));
const examples = sources.flatMap(({ path, text }) => examplesIn(path, text));
const fileOf = ({ name }: Example, ending: string): string => join(FOLDER, `${name}.${ending}`);

after(() => rmSync(FOLDER, { recursive: true, force: true }));

const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  lib: ["lib.es2023.d.ts", "lib.esnext.disposable.d.ts", "lib.es2024.sharedmemory.d.ts"],
  types: ["node"],
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: true,
  moduleDetection: ts.ModuleDetectionKind.Force,
};

/** Compiles programs, and returns what the compiler says. */
function compile(programs: readonly Example[]): string {
  mkdirSync(FOLDER, { recursive: true });
  for (const program of programs) writeFileSync(fileOf(program, "ts"), program.code);
  const compiled = ts.createProgram(
    programs.map((program) => fileOf(program, "ts")),
    OPTIONS,
  );
  const said = [...ts.getPreEmitDiagnostics(compiled), ...compiled.emit().diagnostics];
  return ts.formatDiagnostics(said, {
    getCanonicalFileName: (name) => name,
    getCurrentDirectory: () => FOLDER,
    getNewLine: () => "\n",
  });
}

test("each @example compiles against the package, and runs", { timeout: 120_000 }, () => {
  assert.equal(compile(examples), "");
  const started = examples.filter(({ isForDevice }) => !isForDevice);
  const imports = started.map((example) => pathToFileURL(fileOf(example, "js")).href);
  const program = `for (const url of ${JSON.stringify(imports)}) {
    try { await import(url); } catch (error) { console.error(url, error); process.exitCode = 1; }
  }`;
  const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", program], {
    encoding: "utf8",
    timeout: 100_000,
  });
  assert.equal(stderr, "");
  assert.equal(status, 0, "an example does not come to its end");
});

test("no @example is left out by its form, and a wrong one does not compile", { timeout: 60_000 }, () => {
  const written = sources.flatMap(({ text }) => [...text.matchAll(/^ *\* @example/gm)]).length;
  assert.equal(examples.length, written, "an @example is followed by a ```ts block");
  const text = '/**\n * @example\n * ```ts\n * import { Domain } from "dmabuf";\n *\n * Domain.make();\n * ```\n */\n';
  assert.match(compile(examplesIn("planted.ts", text)), /Property 'make' does not exist/);
});
