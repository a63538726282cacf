import type { EngineName } from "dmabuf-browsers";
import type { Realm } from "./run.js";

/** What an engine cannot do, and the tests that need it: where they fail, they are skipped with this reason. */
interface Fact {
  readonly engines: readonly EngineName[];
  readonly reason: string;
  /** The beginnings of suites and of tests: `"src/a.test.js: title"`. */
  readonly tests: readonly string[];
  /** Whether the tests pass sometimes; else one that passes is a failure, so that a fact which is none any more is found. */
  readonly isChance?: boolean;
}

const FACTS: readonly Fact[] = [
  {
    engines: ["webkit"],
    reason: "structuredClone() copies shared memory in WebKit; messages do share it",
    tests: [
      "src/buffer/handle.test.js: a handle that is cloned as a message would be",
      "src/buffer/memory-fence.test.js: memory-fence.3: a wait ends with a signal of another agent",
      "src/buffer/memory-fence.test.js: a holder that may only read waits",
      "src/window/module-window.test.js: frames of a heap in a module's shared memory",
    ],
  },
  {
    engines: ["webkit"],
    reason: "WebKit has no byte streams: ReadableByteStreamController is not implemented",
    tests: [
      "src/buffer/copies.test.js: what readableStreamFrom() copies",
      "src/buffer/copies.test.js: a chunk that the reader brings memory for",
      "src/web/web.test.js: every byte of 1,000 frames",
      "src/web/web.test.js: frames are compressed",
      "src/web/web.test.js: a reader's own memory is filled",
      "src/web/web.test.js: a frame without bytes is passed over",
      "src/web/web.test.js: a stream that fails fails the reading",
      "src/web/web.test.js: no frame is taken before it is asked for",
    ],
  },
  {
    engines: ["webkit"],
    reason: "WebKit tells of no rejection at the top of a worker's module; what is thrown there after an await is one",
    tests: [
      "test/browser/suites/web-workers.suite.js: a worker that does not come so far rejects, and leaves its place (introduction.2): a rejection",
      "test/browser/suites/web-workers.suite.js: a worker that has joined is terminated when it ends with throw-at-once",
    ],
  },
  {
    engines: ["firefox"],
    reason: "Firefox has no OfflineAudioContext.suspend()",
    tests: ["test/browser/suites/web-worklet.suite.js: a stream that has nothing is silence"],
  },
  {
    engines: ["firefox"],
    reason: "the time limit of Atomics.waitAsync() does not pass in a worklet of Firefox, and worklets have no timers",
    tests: ["test/browser/suites/worklet.suite.js: an AudioWorklet waits with a limit"],
  },
  {
    engines: ["firefox", "webkit"],
    reason: "stacks do not reach over an await",
    tests: [
      "src/validator/lock-watch.test.js: a lock that is held across an await is reported once another agent waits",
      // What is found in one place again and again is said once, and here it is not known to be one place.
      "src/validator/lock-watch.test.js: a lock that is held across an await is reported for another flow",
    ],
    isChance: true,
  },
];

/** Why a test that has failed in an engine was bound to. */
export function factOf(engine: EngineName, suite: string, title: string): Fact | undefined {
  const name = `${suite.replace("dist/", "")}: ${title}`;
  return FACTS.find(({ engines, tests }) => engines.includes(engine) && tests.some((test) => name.startsWith(test)));
}

/** Pure computations, the same in every engine: Chromium's worker runs them. */
const COMPUTATIONS = ["src/testing/", "test/conformance/kernel-comparison", "test/conformance/numbers"];

/** What says the same in a page as in a worker: other engines than Chromium run it in a worker only. */
const SAME_IN_PAGES = [
  "src/explain/",
  "src/queue/",
  "src/reservation/",
  "src/trace/",
  "src/validator/",
  "test/conformance/",
];

/**
 * What starts workers. A worker of Firefox that does may hang when a debugger listens, and WebDriver's always does: until the
 * new worker is registered with it, its parent waits on a condition on which the worker waits for events, and only one of the
 * two is woken (`WorkerPrivate::WaitForIsDebuggerRegistered`). A page does not wait.
 */
const STARTS_WORKERS = ["agents", "deaths", "domain", "streams", "web-gpu-export", "web-workers", "workers"].map(
  (suite) => `test/browser/suites/${suite}.suite.js`,
);

/** Whether an engine runs a suite in a realm: together they have six minutes. */
export function runsIn(engine: EngineName, realm: Realm, suite: string): boolean {
  const isOf = (folders: readonly string[]): boolean => folders.some((folder) => suite.startsWith(`dist/${folder}`));
  if (isOf(COMPUTATIONS)) return engine === "chromium" && realm === "worker";
  if (engine === "firefox" && realm === "worker" && isOf(STARTS_WORKERS)) return false;
  return engine === "chromium" || realm === "worker" || !isOf(SAME_IN_PAGES);
}
