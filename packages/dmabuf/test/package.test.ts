/** The library as programs get it: packed, and unpacked into a folder where nothing else of the workspace is. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { transform } from "esbuild";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import ts from "typescript";
import { bundle, MOST, zipped } from "./bundle-size.js";

const LIBRARY = join(import.meta.dirname, "..", "..");
const MEGABYTE = 1_000_000;
const PATIENT = { timeout: 180_000 };

/** A program's folder, with the library as its only dependency. */
const folder = mkdtempSync(join(tmpdir(), "dmabuf-package-"));
const archive = join(folder, "dmabuf.tgz");
const installed = join(folder, "node_modules", "dmabuf");

before(() => {
  execFileSync("npm", ["pack", "--pack-destination", folder], { cwd: LIBRARY, stdio: "ignore" });
  const [packed] = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
  renameSync(join(folder, packed!), archive);
  mkdirSync(installed, { recursive: true });
  execFileSync("tar", ["-xzf", archive, "--strip-components=1", "-C", installed]);
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
});

after(() => rmSync(folder, { recursive: true }));

interface Manifest {
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, unknown>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}

function manifest(path: string): Manifest {
  return JSON.parse(readFileSync(join(path, "package.json"), "utf8")) as Manifest;
}

/** The files of a folder, however deep. */
function filesOf(path: string): string[] {
  return readdirSync(path, { recursive: true, encoding: "utf8" }).filter((name) => statSync(join(path, name)).isFile());
}

test("the package has the library, its declarations with what they are made from, and the texts, and nothing else", () => {
  const sources = filesOf(join(LIBRARY, "src")).filter(
    (name) => !name.endsWith(".test.ts") && !name.startsWith("protocol/assembly/"),
  );
  const modules = sources.map((name) => name.replace(/\.ts$/, ""));
  const outputs = [".js", ".d.ts", ".d.ts.map"];
  const expected = modules.flatMap((name) => [
    `src/${name}.ts`,
    ...outputs.map((ending) => `dist/src/${name}${ending}`),
  ]);
  expected.push("CHANGELOG.md", "LICENSE", "README.md", "package.json");
  assert.deepEqual(filesOf(installed).sort(), expected.sort());
});

test("a declaration leads to its source", () => {
  const maps = filesOf(installed).filter((name) => name.endsWith(".d.ts.map"));
  for (const name of maps) {
    const { sources } = JSON.parse(readFileSync(join(installed, name), "utf8")) as { readonly sources: string[] };
    for (const source of sources) assert.ok(existsSync(join(installed, dirname(name), source)), `${name}: ${source}`);
  }
});

test("publint and Are the types wrong find nothing", PATIENT, async () => {
  const { messages, pkg } = await publint({ pkgDir: installed, pack: false, strict: true });
  assert.deepEqual(
    messages.map((message) => formatMessage(message, pkg, { color: false })),
    [],
  );
  const { resolve } = createRequire(import.meta.url);
  const attw = join(dirname(resolve("@arethetypeswrong/cli/package.json")), "dist", "index.js");
  // That require() gets a module is right: each Node.js that the package is for can do it.
  const { status, stdout } = run(attw, archive, "--ignore-rules", "cjs-resolves-to-esm");
  assert.equal(status, 0, stdout);
});

test("what `using` compiles to is in one module, so that rollup has nothing to warn of", () => {
  const modules = filesOf(installed).filter((name) => name.endsWith(".js"));
  const own = modules.filter((name) => /\bthis && this\./.test(readFileSync(join(installed, name), "utf8")));
  assert.deepEqual(own, []);
});

test("the symbols of `using` are said in that module alone, which has its own where there are none", () => {
  const modules = filesOf(installed).filter((name) => name.endsWith(".js"));
  const code = (name: string): string =>
    readFileSync(join(installed, name), "utf8").replaceAll(/^\s*(?:\*|\/[/*]).*$/gm, "");
  assert.deepEqual(
    modules.filter((name) => /\bSymbol\.(dispose|asyncDispose)\b/.test(code(name))),
    ["dist/src/using.js"],
  );
});

/** Before all else: the program sees an engine as Safari. Those of Node.js can neither be deleted nor replaced. */
const BARE = `const own = Symbol;
function Bare(description) { return own(description); }
for (const name of Reflect.ownKeys(own)) {
  if (name === "dispose" || name === "asyncDispose") continue;
  Object.defineProperty(Bare, name, Object.getOwnPropertyDescriptor(own, name));
}
globalThis.Symbol = Bare;`;

/** There is one buffer: it comes again if it was given back. */
const WITH_USING = `const wasThere = Symbol.dispose !== undefined;
using domain = Domain.create();
using stream = domain.createStream({ format: rawFormat(4), buffers: 1 });
const wrong: string[] = [];
{
  using consumer = stream.frames();
  for (let round = 0; round < 3; round++) {
    {
      using loan = stream.tryLoan()!;
      loan.publish();
    }
    using frame = consumer.tryNext()!;
    for (let at: object = frame; at !== Object.prototype; at = Object.getPrototypeOf(at) as object)
      wrong.push(...Object.getOwnPropertyNames(at).filter((name) => name === "undefined"));
  }
}
const left = stream.consumers;
const consumer = stream.frames();
setTimeout(() => stream.end());
// A newcomer begins with the newest.
for await (const frame of consumer) frame.close();
console.log(JSON.stringify({ wasThere, wrong, published: stream.published, left, consumers: stream.consumers }));`;

test(
  "where Symbol.dispose is not there, `using` of esbuild and of TypeScript gives everything back",
  PATIENT,
  async () => {
    writeFileSync(join(folder, "bare.js"), BARE);
    // TypeScript's wants that there is one.
    const filled = 'Symbol.dispose ??= Symbol.for("Symbol.dispose");';
    const { outputText } = ts.transpileModule(`${WITH_USING.replace("\n", `\n${filled}\n`)}`, {
      compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
    });
    for (const entry of ["dmabuf", "dmabuf/streams"]) {
      const head = `import { Domain, rawFormat } from "${entry}";\n`;
      const { code } = await transform(head + WITH_USING, { loader: "ts", target: "es2022", format: "esm" });
      for (const program of [code, head + outputText]) {
        writeFileSync(join(folder, "disposing.js"), program);
        const { stdout, stderr } = run("--import", "./bare.js", "disposing.js");
        assert.equal(stderr, "");
        assert.deepEqual(JSON.parse(stdout), { wasThere: false, wrong: [], published: 3, left: 0, consumers: 0 });
      }
    }
  },
);

test("a fresh installation takes less than 15 MB and runs no script", () => {
  const { dependencies = {}, optionalDependencies } = manifest(installed);
  assert.deepEqual(dependencies, {});
  const { resolve } = createRequire(import.meta.url);
  const others = Object.keys(optionalDependencies).flatMap((name) => {
    try {
      return [dirname(resolve(`${name}/package.json`))];
    } catch {
      // It is for other processors.
      return [];
    }
  });
  const all = [installed, ...others];
  const blocks = all.flatMap((path) => filesOf(path).map((name) => statSync(join(path, name)).blocks));
  const bytes = blocks.reduce((sum, count) => sum + count * 512, 0);
  assert.ok(bytes < 15 * MEGABYTE, `it takes ${(bytes / MEGABYTE).toFixed(1)} MB`);
  for (const path of all) {
    const { scripts = {} } = manifest(path);
    assert.deepEqual(
      ["preinstall", "install", "postinstall"].filter((name) => name in scripts),
      [],
      path,
    );
    assert.ok(!filesOf(path).includes("binding.gyp"), path);
  }
});

test("in the bundle of a page the entries stay small, and each adapter alone", PATIENT, async (t) => {
  const sizeOf = async (code: string): Promise<number> => zipped(await bundle(code, folder));
  const domain = 'import { Domain } from "dmabuf"; globalThis.Domain = Domain;';
  const streams = await sizeOf(domain.replace('"dmabuf"', '"dmabuf/streams"'));
  const dmabuf = await sizeOf(domain);
  const web = (await sizeOf(`${domain} import * as web from "dmabuf/web"; globalThis.web = web;`)) - dmabuf;
  const sizes = { streams, dmabuf, web };
  const adapters = Object.keys((await import(join(installed, "dist/src/web/index.js"))) as object);
  assert.ok(adapters.includes("pipeFrames"));
  for (const name of adapters) {
    const alone = await sizeOf(`${domain} import { ${name} } from "dmabuf/web"; globalThis.${name} = ${name};`);
    t.diagnostic(`${name} adds ${alone - dmabuf} bytes to dmabuf`);
    const most = Math.min(MOST.adapter, web);
    assert.ok(alone <= dmabuf + most, `${name} alone adds ${alone - dmabuf} bytes, more than ${most}`);
  }
  for (const entry of ["streams", "dmabuf", "web"] as const) {
    t.diagnostic(`${entry} has ${sizes[entry]} bytes of ${MOST[entry]}`);
  }
  for (const entry of ["streams", "dmabuf", "web"] as const) {
    assert.ok(sizes[entry] <= MOST[entry], `${entry} has ${sizes[entry]} bytes, more than ${MOST[entry]}`);
  }
});

function run(...args: readonly string[]) {
  return spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8", timeout: 120_000, killSignal: "SIGKILL" });
}

test("without optional dependencies threads share buffers, and what is missing is named", () => {
  const program = join(folder, "threads.js");
  writeFileSync(
    program,
    `import { Domain } from "dmabuf";
    import { capabilities, ProcessDomain } from "dmabuf/node";
    import { DmaHeap } from "dmabuf/linux";
    const codeOf = (act) => { try { act(); } catch (error) { return error.code; } };
    using_(Domain.create());
    function using_(domain) {
      const buffer = domain.allocate(4096);
      const access = buffer.accessSync("write");
      access.bytes.fill(7);
      access[Symbol.dispose]();
      const { processes, missing } = capabilities();
      const codes = [codeOf(() => ProcessDomain.create()), codeOf(() => DmaHeap.open("system"))];
      console.log(JSON.stringify({ processes, missing, codes }));
      domain.close();
    }`,
  );
  const { status, stdout, stderr } = run(program);
  assert.deepEqual([status, stderr], [0, ""]);
  const { processes, missing, codes } = JSON.parse(stdout) as {
    processes: boolean;
    missing: { name: string; reason: string }[];
    codes: string[];
  };
  assert.equal(processes, false);
  assert.deepEqual(codes, ["ENOSYS", "ENOSYS"]);
  assert.match(`${missing[0]!.name}: ${missing[0]!.reason}`, /system calls: .*koffi/);
});

test("the command line says what is missing, and how to get the demo and what looks at domains", () => {
  const main = join(installed, "dist", "src", "cli", "main.js");
  const doctor = run(main, "doctor");
  assert.deepEqual([doctor.status, doctor.stderr], [0, ""]);
  assert.match(doctor.stdout, /no +system calls .*koffi/);
  const demo = run(main, "demo", "--headless");
  assert.equal(demo.status, 1);
  assert.match(demo.stderr, /^dmabuf: The demo is in a package of its own.*npm install dmabuf-demo && npx dmabuf demo/);
  for (const command of ["ls", "bufinfo", "fences", "streams", "top", "explain", "completion"]) {
    const { status, stderr } = run(main, command, "--json");
    assert.equal(status, 1);
    assert.match(
      stderr,
      /^dmabuf: Commands that look at domains, and the agent of a host, are in a package.*npm install dmabuf-tools && npx dmabuf /,
    );
  }
  assert.match(run(main, "inspect").stderr, /The inspector is in a package.*npm install dmabuf-inspector/);
});

test("the command line tells its version and its commands, and refuses others", () => {
  const main = join(installed, "dist", "src", "cli", "main.js");
  const { version } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8")) as { version: string };
  assert.equal(run(main, "--version").stdout, `${version}\n`);
  assert.match(run(main, "--help").stdout, /dmabuf doctor [^]*dmabuf demo/);
  for (const [args, says] of [
    [[], /There is no command\.[^]*dmabuf doctor/],
    [["nonsense"], /There is no command "nonsense" \(--help/],
    [["doctor", "--nonsense"], /doctor has no option --nonsense/],
  ] as const) {
    const { status, stdout, stderr } = run(main, ...args);
    assert.deepEqual([status, stdout], [2, ""]);
    assert.match(stderr, says);
  }
});

test("the command line starts the demo of the folder that it is called in", () => {
  const main = join(installed, "dist", "src", "cli", "main.js");
  const demo = join(folder, "node_modules", "dmabuf-demo");
  mkdirSync(demo);
  writeFileSync(join(demo, "package.json"), '{ "name": "dmabuf-demo", "type": "module", "exports": "./main.js" }');
  writeFileSync(join(demo, "main.js"), "console.log(process.argv.slice(2).join()); process.exitCode = 3;");
  const { status, stdout } = run(main, "demo", "--frames", "5", "file.mp4");
  assert.deepEqual([status, stdout], [3, "--frames,5,file.mp4\n"]);
  rmSync(demo, { recursive: true });
});

test("the command line hands what looks at domains to its package, with the command's name", () => {
  const main = join(installed, "dist", "src", "cli", "main.js");
  const tools = join(folder, "node_modules", "dmabuf-tools");
  mkdirSync(tools);
  writeFileSync(join(tools, "package.json"), '{ "name": "dmabuf-tools", "type": "module", "exports": "./main.js" }');
  writeFileSync(join(tools, "main.js"), "console.log(process.argv.slice(2).join()); process.exitCode = 4;");
  const { status, stdout } = run(main, "explain", "frame", "--json");
  assert.deepEqual([status, stdout], [4, "explain,frame,--json\n"]);
  rmSync(tools, { recursive: true });
});

/** As strict as TypeScript can be, with the libraries' own declarations checked, too. */
const STRICTEST: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  strict: true,
  noEmit: true,
  skipLibCheck: false,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noPropertyAccessFromIndexSignature: true,
  noImplicitOverride: true,
  verbatimModuleSyntax: true,
  isolatedModules: true,
};

const RESOLUTIONS: [name: string, options: ts.CompilerOptions][] = [
  ["nodenext", { module: ts.ModuleKind.NodeNext }],
  ["bundler", { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler }],
];

/** What the compiler says of programs in a folder where only the package and, if wanted, Node.js's types are. */
function complaints(files: readonly string[], options: ts.CompilerOptions): string[] {
  const all = { ...STRICTEST, typeRoots: [join(folder, "node_modules", "@types")], ...options };
  const program = ts.createProgram(files, all);
  const diagnostics = ts.getPreEmitDiagnostics(program);
  return diagnostics.map((diagnostic) => ts.formatDiagnostic(diagnostic, FORMAT));
}

/** The entries that ask for the types of Node.js. */
const NODE_ENTRIES = ["./node", "./hosts", "./opentelemetry"];

/** Runs while Node.js's types are in the folder, and the package that dmabuf/opentelemetry is for. */
function withNodeTypes(act: () => void): void {
  const types = join(folder, "node_modules", "@types");
  const peers = join(folder, "node_modules", "@opentelemetry");
  mkdirSync(peers, { recursive: true });
  // It does not name its package.json to others.
  const api = createRequire(import.meta.url).resolve("@opentelemetry/api");
  symlinkSync(api.slice(0, api.lastIndexOf("/build/")), join(peers, "api"));
  mkdirSync(types, { recursive: true });
  symlinkSync(dirname(createRequire(import.meta.url).resolve("@types/node/package.json")), join(types, "node"));
  try {
    act();
  } finally {
    rmSync(types, { recursive: true });
    rmSync(peers, { recursive: true });
  }
}

const FORMAT: ts.FormatDiagnosticsHost = {
  getCurrentDirectory: () => folder,
  getCanonicalFileName: (name) => name,
  getNewLine: () => "\n",
};

const LIB = ["lib.es2023.d.ts", "lib.es2024.sharedmemory.d.ts", "lib.esnext.disposable.d.ts"];

for (const [name, options] of RESOLUTIONS) {
  test(`every example compiles against the package, as strictly as can be (${name})`, PATIENT, () => {
    const examples = readdirSync(join(LIBRARY, "examples")).filter((file) => file.endsWith(".ts"));
    const files = examples.map((file) => {
      const copy = join(folder, file);
      writeFileSync(copy, readFileSync(join(LIBRARY, "examples", file)));
      return copy;
    });
    assert.ok(files.length > 0);
    withNodeTypes(() => assert.deepEqual(complaints(files, { ...options, lib: LIB, types: ["node"] }), []));
  });

  test(`a page's program compiles against the package with the types of the DOM (${name})`, PATIENT, () => {
    const page = join(folder, "page.ts");
    writeFileSync(page, PAGE);
    assert.deepEqual(complaints([page], { ...options, lib: [...LIB, "lib.dom.d.ts"], types: [] }), []);
  });

  test(
    `each entry compiles with the libraries of ES2022, and none but those for Node.js asks for its types (${name})`,
    PATIENT,
    () => {
      const entries = Object.keys(manifest(installed).exports).filter((entry) => !entry.endsWith(".json"));
      const users = entries.map((entry) => {
        const user = join(folder, `user-${entries.indexOf(entry)}.ts`);
        writeFileSync(user, `export * from "${entry.replace(".", "dmabuf")}";\n`);
        return { user, types: NODE_ENTRIES.includes(entry) ? ["node"] : [] };
      });
      const compile = (types: string[]): string[] => {
        const files = users.filter((one) => one.types.length === types.length).map(({ user }) => user);
        assert.ok(files.length > 0);
        return complaints(files, { ...options, target: ts.ScriptTarget.ES2022, types });
      };
      assert.deepEqual(compile([]), []);
      withNodeTypes(() => assert.deepEqual(compile(["node"]), []));
    },
  );
}

/** A page that draws the frames of a worker, without anything of Node.js. */
const PAGE = `
import { Domain, DmaBufError, imageFormat } from "dmabuf";
import { readableStreamFrom, writableStreamFrom } from "dmabuf/web";

const domain = Domain.create({ name: "page" });
const stream = domain.createStream({ name: "camera", format: imageFormat("RGBA", 64, 64), buffers: 3 });
const worker = new Worker(new URL("./camera.js", import.meta.url), { type: "module" });
const { port, ...rest } = domain.invite({ name: "camera" });
worker.postMessage({ invitation: { port, ...rest }, stream: stream.handle() }, [port]);
// @ts-expect-error -- The agent of a domain is the library's own.
console.log(domain.agent);
// @ts-expect-error -- And so is what is behind a fence.
console.log(domain.createTimeline().createFence().ops);
const body = readableStreamFrom(stream.frames()).pipeThrough(new CompressionStream("gzip"));
void (await fetch("./frames", { method: "POST", body })).body?.pipeTo(writableStreamFrom(stream));
const context = document.querySelector("canvas")?.getContext("2d");
const stop = new AbortController();
try {
  for await (using frame of stream.frames({ policy: "newest", signal: stop.signal })) {
    context?.putImageData(new ImageData(new Uint8ClampedArray(frame.bytes), 64, 64), 0, 0);
  }
} catch (error) {
  if (error instanceof DmaBufError && error.code === "ESRCH") console.log(error.errno);
}
`;
