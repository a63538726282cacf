/**
 * The public API explains itself. Each `@example` of a documentation comment compiles against the package as a user's
 * program, and runs, but for those that need a device or a browser.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import ts from "typescript";
import { ENTRIES, gapsIn } from "./documented.js";

const PACKAGE = join(import.meta.dirname, "../..");
/** In the package, so that the programs import it by its name. */
const FOLDER = join(PACKAGE, "dist/docstrings");

interface Example {
  /** `fence-fence-127`, for line 127 of `fence/fence.ts`. */
  readonly name: string;
  readonly code: string;
  /** What it needs, so that it is only compiled: a device, or a browser, whose types it then has. */
  readonly needs: "device" | "page" | undefined;
}

/** All examples in a source: the code blocks of its documentation comments that follow `@example`. */
function examplesIn(path: string, text: string): Example[] {
  return [...text.matchAll(/^ *\* @example[^\n]*\n *\* ```ts(?: (device|page))?\n(.*?)^ *\* ```$/gms)].map((match) => ({
    name: `${path.replaceAll("/", "-").replace(/\.ts$/, "")}-${text.slice(0, match.index).split("\n").length}`,
    code: match[2]!.replaceAll(/^ *\* ?/gm, ""),
    needs: match[1] as Example["needs"],
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
  const [pages, others] = [true, false].map((isPage) =>
    programs.filter(({ needs }) => (needs === "page") === isPage).map((program) => fileOf(program, "ts")),
  );
  const said = [
    ...saidOf([...others!, join(PACKAGE, "test/webassembly.d.ts")], OPTIONS),
    ...saidOf(pages!, { ...OPTIONS, lib: [...OPTIONS.lib!, "lib.dom.d.ts"], types: [] }),
  ];
  return ts.formatDiagnostics(said, {
    getCanonicalFileName: (name) => name,
    getCurrentDirectory: () => FOLDER,
    getNewLine: () => "\n",
  });
}

function saidOf(files: readonly string[], options: ts.CompilerOptions): readonly ts.Diagnostic[] {
  if (files.length === 0) return [];
  const compiled = ts.createProgram(files, options);
  return [...ts.getPreEmitDiagnostics(compiled), ...compiled.emit().diagnostics];
}

test("each @example compiles against the package, and runs", { timeout: 120_000 }, () => {
  assert.equal(compile(examples), "");
  const started = examples.filter(({ needs }) => needs === undefined);
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
  const page = '/**\n * @example\n * ```ts page\n * new Worker("./a.js").terminate(1);\n * ```\n */\n';
  assert.match(compile(examplesIn("planted.ts", page)), /Expected 0 arguments/);
});

/** A cast, or `!`, which says that a value is there. Text that only looks like one is not found. */
function castsIn(name: string, code: string): string[] {
  const source = ts.createSourceFile(name, code, ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const isConst = ts.isAsExpression(node) && node.type.getText() === "const";
    const isCast = (ts.isAsExpression(node) && !isConst) || ts.isTypeAssertionExpression(node);
    if (isCast || ts.isNonNullExpression(node)) found.push(`${name}: ${node.getText()}`);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

test("no example needs a cast, or says that a value is there", () => {
  assert.deepEqual(
    examples.flatMap(({ name, code }) => castsIn(`${name}.ts`, code)),
    [],
  );
  const programs = join(PACKAGE, "examples");
  const documents = join(PACKAGE, "../..");
  const texts = ["README.md", ...readdirSync(join(documents, "docs"), { recursive: true, encoding: "utf8" })]
    .map((name) => (name === "README.md" ? name : `docs/${name}`))
    .filter((name) => name.endsWith(".md"))
    .flatMap((name) =>
      [...readFileSync(join(documents, name), "utf8").matchAll(/```(?:ts|js)\b[^\n]*\n(.*?)```/gs)].map(
        ([, code], i) => ({ name: `${name}-${i}.ts`, code: code! }),
      ),
    );
  for (const name of readdirSync(programs)) texts.push({ name, code: readFileSync(join(programs, name), "utf8") });
  assert.ok(texts.length > 10, `only ${texts.length} programs were found`);
  assert.deepEqual(
    texts.flatMap(({ name, code }) => castsIn(name, code)),
    [],
  );
  const planted = "// as never!\nconst a = b as never;\nc!.d(<number>e, '!', f as const);";
  assert.deepEqual(castsIn("planted.ts", planted), [
    "planted.ts: b as never",
    "planted.ts: c!",
    "planted.ts: <number>e",
  ]);
});

/** What no program makes by itself, and what the classes that it does make have in common. */
const NO_EXAMPLE = ["DomainBase", "FrameBytes", "PublishedFrame", "ViewedFrame"];

test("each public class, function, type, method, property and option has a comment, and each class and function an example", () => {
  const { uncommented, withoutExample, modules } = gapsIn(ENTRIES);
  assert.deepEqual({ uncommented, modules }, { uncommented: [], modules: [] });
  assert.deepEqual([...withoutExample].sort(), [...NO_EXAMPLE].sort(), "exactly those that are excused");
});

test("what a declaration does not explain is found", () => {
  mkdirSync(FOLDER, { recursive: true });
  const planted = join(FOLDER, "planted-gaps.d.ts");
  writeFileSync(
    planted,
    `
      export declare class Silent {
        /** Says. */
        said(): void;
        unsaid(): void;
        private inner;
        readonly field: number;
      }
      /** Has an option without a comment. @throws If so. */
      export declare function run(options: Options): void;
      /** Options. */
      export interface Options {
        /** @deprecated */
        tagged: number;
        /** Any. */
        nested: {
          bare: 1;
        };
      }
      /**
       * Explained.
       *
       * @example
       * explained();
       */
      export declare function explained(): void;`,
  );
  assert.deepEqual(gapsIn([planted]), {
    uncommented: ["Silent", "Silent.unsaid", "Silent.field", "Options.tagged", "Options.bare"],
    withoutExample: ["run", "Silent"],
    modules: [planted],
  });
});
