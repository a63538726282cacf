/* cspell:ignore recieve recieved messige remarkrc nobody whoever somebody */
/** Each check of `npm run check` finds what it is there for: it is planted in a small workspace. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";

const WORKSPACE = join(import.meta.dirname, "../../../..");

/** The small workspace: nothing is wrong with it. */
const SOUND = {
  "package.json": JSON.stringify({ name: "small", private: true, type: "module", workspaces: ["packages/*"] }),
  "packages/one/package.json": JSON.stringify({ name: "one", type: "module", exports: "./src/index.ts" }),
  "packages/one/src/index.ts": 'export { a } from "./a.js";\nexport const b = 2;\n',
  "packages/one/src/a.ts": "export const a = 1;\n",
  "README.md": "# One\n\nA word. See [the source](packages/one/src/a.ts) and [above](#one).\n",
};

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** What a check says of the small workspace with some files changed. */
function run(
  command: readonly string[],
  changes: Record<string, string> = {},
): { status: number | null; said: string } {
  const folder = mkdtempSync(join(tmpdir(), "dmabuf-planted-"));
  folders.push(folder);
  for (const [path, text] of Object.entries({ ...SOUND, ...changes })) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const [tool, ...args] = command;
  const program = join(WORKSPACE, "node_modules/.bin", tool!);
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
  });
  return { status, said: stdout + stderr };
}

const config = (name: string): string => join(WORKSPACE, name);

interface Check {
  command: string[];
  /** What is planted all at once, and for each file what must be said. */
  planted: [path: string, text: string, what: RegExp][];
}

const CHECKS: Record<string, Check> = {
  "import circles": {
    command: ["depcruise", "packages", "--config", config(".dependency-cruiser.mjs")],
    planted: [
      ["packages/one/src/a.ts", 'export { b as a } from "./index.js";\n', /no-circle: \S*a\.ts/],
      ["packages/one/src/c.ts", 'import type { D } from "./d.js";\nexport type C = D;\n', /no-circle: \S*c\.ts/],
      ["packages/one/src/d.ts", 'import type { C } from "./c.js";\nexport type D = C;\n', /d\.ts/],
    ],
  },
  "dead code": {
    command: ["knip", "--config", config("knip.config.js")],
    planted: [
      ["packages/one/src/c.ts", "export const c = 1;\n", /Unused files[^]*c\.ts/],
      [
        "packages/one/src/a.ts",
        'import "left-pad";\nexport const a = 1;\nexport const unused = 1;\nexport const inside = 2 * unused;\n',
        /left-pad[^]*Unused exports[^]*unused .*a\.ts[^]*inside .*a\.ts/,
      ],
    ],
  },
  "exports that only tests use": {
    command: ["knip", "--production", "--config", config("knip.config.js")],
    planted: [
      ["packages/one/src/a.ts", "export const a = 1;\nexport const c = 1;\n", /Unused exports[^]*c .*a\.ts/],
      ["packages/one/src/a.test.ts", 'import { c } from "./a.js";\nvoid c;\n', /c /],
    ],
  },
  spelling: {
    command: ["cspell", "--root", ".", "--config", config("cspell.json")],
    planted: [
      ["README.md", "# One\n\nWe recieve it from nobody.\n", /Unknown word \(recieve\)[^]*Forbidden word \(nobody\)/],
      [
        "packages/one/src/a.ts",
        '/** As recieved by whoever asks. */\nexport const a = "a messige from nobody";\nexport const somebody = 1;\n',
        /recieved[^]*Forbidden word \(whoever\)[^]*messige[^]*Forbidden word \(nobody\)/,
      ],
    ],
  },
  links: {
    command: ["remark", ".", "--frail", "--quiet", "--no-stdout", "--rc-path", config(".remarkrc.mjs")],
    planted: [["README.md", "# One\n\nSee [it](packages/two.ts) and [it](#two).\n", /two\.ts[^]*#two/]],
  },
};

for (const [name, { command, planted }] of Object.entries(CHECKS)) {
  test(`the check of ${name} finds what is planted, and nothing where nothing is wrong`, { timeout: 180_000 }, () => {
    const sound = run(command);
    assert.equal(sound.status, 0, sound.said);
    const { status, said } = run(command, Object.fromEntries(planted.map(([path, text]) => [path, text])));
    assert.notEqual(status, 0, said);
    for (const [, , what] of planted) assert.match(said, what);
  });
}
