import { readdirSync } from "node:fs";
import { posix } from "node:path";
import { argv, cwd } from "node:process";
import { filesIn, textOf } from "./scripts/files.mjs";

/**
 * Dead code: files that nothing imports or starts, exports that no other file uses, packages that nothing needs. With
 * `--production`, tests use nothing, so that an export for tests alone is found too.
 */

/** A package: its tests, its programs, and those that a file starts by their address, `new URL("x.js", import.meta.url)`. */
function packageAt(home) {
  const files = filesIn(home, /\.tsx?$/, cwd());
  // Knip reads in the package's own file what others import and start.
  const named = textOf(`${home}/package.json`, cwd());
  const started = files.flatMap((file) => {
    if (/src\/.*\.test\.ts$/.test(file)) return []; // what a unit test starts is imported as well
    const programs = [...textOf(file, cwd()).matchAll(/new URL\(\s*"([\w./-]+)\.js", import\.meta\.url\)/g)];
    return programs
      .map(([, name]) => posix.join(posix.dirname(file), name))
      .filter((path) => files.includes(`${path}.ts`))
      .map((path) => path.slice(home.length + 1))
      .filter((path) => !named.includes(`dist/${path}.js`))
      .map((path) => `${path}.ts`);
  });
  return {
    entry: [
      ...started.map((program) => (program.startsWith("src/") ? `${program}!` : program)),
      ...(files.some(isTest) ? ["{src,test}/**/*.{test,suite,fixture}.ts"] : []),
      ...(PROGRAMS[home] ?? []),
    ],
    project: [
      "src/**/*.{ts,tsx}!",
      "!src/**/*.test.ts!",
      "!src/protocol/assembly/**",
      ...(files.some(isApart) ? ["{test,examples}/**/*.ts"] : []),
      ...(PAGES[home] ?? []),
    ],
  };
}

function isTest(file) {
  return /\/(src|test)\/.*\.(test|suite|fixture)\.ts$/.test(file);
}

/** Of the folders beside the sources. */
function isApart(file) {
  return /^packages\/[^/]+\/(test|examples)\/.*\.ts$/.test(file);
}

/** What is built for browsers. */
const PAGES = {
  "packages/inspector": ["page/**/*.{ts,tsx}!"],
  "packages/bench": ["web/*.ts!"],
  "packages/web-demo": ["page/**/*.{ts,tsx}!"],
};

/** Programs that npm's scripts, other tests, shells and browsers start. */
const PROGRAMS = {
  "packages/dmabuf": [
    "src/node/tracing/trace-writer.ts!", // loaded when it is needed
    "src/trace/channels.ts!",
    "src/web/dom.ts!", // declarations name it, and nothing else
    "src/using.ts!", // imported where it is compiled to
    "examples/*.{ts,mjs}",
    "test/**/{main,messages-main,report}.ts",
    "test/browser/{fixtures/*,node-test,realm}.ts",
    "test/kernel/{inside,reporter}.ts",
  ],
  "packages/site": ["src/{main,config}.ts!"],
  "packages/web-demo": ["src/main.ts!", "examples/*.js"],
  "packages/bench": [
    "src/main.ts!",
    "src/sides/*.ts!",
    "src/pingpong.ts!",
    "src/hosts/main.ts!",
    "src/web/main.ts!",
    "web/{audio,audio-processor,audio-worker,ends,ends-worker,hand-off,hand-off-worker}.ts!",
  ],
};

export default {
  workspaces: {
    ".": { entry: ["scripts/*.mjs"], project: ["scripts/*.mjs"] },
    ...Object.fromEntries(readdirSync("packages").map((name) => [`packages/${name}`, packageAt(`packages/${name}`)])),
  },
  // An export that only its own file and tests use is for the tests, and right.
  ignoreExportsUsedInFile: argv.includes("--production"),
  ignoreBinaries: ["iox-roudi", "nats-server", "setpriv", "taskset", "mkfifo", "cc", "make", "ffmpeg", "xdg-open"],
  // The one is bundled for the browser, the other one started, by its path.
  ignoreDependencies: ["assert", "@arethetypeswrong/cli"],
  exclude: ["duplicates"],
  // The layout is read by traces, by the fuzzer and by scripts/layout.mjs, which writes it for other languages.
  ...(argv.includes("--production") ? { ignoreIssues: { "packages/dmabuf/src/domain/record.ts": ["exports"] } } : {}),
};
