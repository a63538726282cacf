/** Runs suites in the realm that loads this module, a page or a worker, one after the other. */
import "mocha";
import type { Report } from "./report.js";

/** As much of mocha's browser build as is used here. */
interface Mocha {
  readonly suite: { emit(event: "pre-require", scope: object, file: null, mocha: Mocha): void };
  run(onEnd: () => void): Runner;
}
interface Runner {
  readonly currentRunnable?: MochaTest;
  on(event: "test" | "pass" | "pending", listener: (test: MochaTest) => void): this;
  on(event: "fail", listener: (test: MochaTest, error: unknown) => void): this;
}
interface MochaTest {
  fullTitle(): string;
  /** Put there by the stand-in of `node:test`. */
  readonly reason?: string;
}
/** As much of a browser's globals. */
interface Realm {
  readonly Mocha: new (options: { ui: "bdd"; timeout: number; reporter: new () => object }) => Mocha;
  addEventListener(type: "unhandledrejection", listener: (event: { reason: unknown }) => void): void;
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
  postMessage(message: readonly Report[] | Running): void;
  /** What {@link SuiteRunner} asks for when a suite does not end. */
  running?: string;
}
/** What a worker tells its page before each test: a thread that hangs says nothing. */
interface Running {
  readonly running: string;
}

/** How long a test may take that states no timeout of its own, in milliseconds. */
const TIMEOUT = 90_000;

/** mocha's own reporters write to the page. */
class Silent {}

const realm = globalThis as unknown as Realm;
let reports: Report[] = [];
let runner: Runner | undefined;

realm.addEventListener("unhandledrejection", ({ reason }) => {
  const where = runner?.currentRunnable?.fullTitle() ?? "its end";
  reports.push({ type: "broken", error: `rejected unheard at: ${where}: ${describe(reason)}` });
});

// In a worker, the page says what is to run.
if (!("document" in globalThis)) {
  realm.addEventListener("message", ({ data }) => {
    if (typeof data === "string") void runSuite(data).then((reports) => realm.postMessage(reports));
  });
}

/**
 * Runs one suite.
 *
 * @param suite The address of the compiled module: `/dist/src/errors.test.js`.
 * @returns Each test's end, and what failed outside of them.
 */
export async function runSuite(suite: string): Promise<readonly Report[]> {
  reports = [];
  // Each suite has its own mocha: hooks at the top of one are not for the others.
  const mocha = new realm.Mocha({ ui: "bdd", timeout: TIMEOUT, reporter: Silent });
  mocha.suite.emit("pre-require", globalThis, null, mocha);
  try {
    await import(suite);
    await new Promise<void>((resolve) => {
      runner = mocha.run(resolve);
      listen(runner);
    });
    runner = undefined;
    // What a test has rejected at its end is told after that.
    await new Promise((resolve) => setTimeout(resolve));
  } catch (error) {
    reports.push({ type: "broken", error: describe(error) });
  }
  if (reports.length === 0) reports.push({ type: "broken", error: "it has no test" });
  return reports;
}

function listen(runner: Runner): void {
  runner
    .on("test", (test) => tell(test.fullTitle()))
    .on("pass", (test) => reports.push({ type: "test", title: test.fullTitle(), state: "passed" }))
    .on("pending", (test) =>
      reports.push({ type: "test", title: test.fullTitle(), state: "skipped", reason: test.reason ?? "" }),
    )
    .on("fail", (test, error) =>
      reports.push({ type: "test", title: test.fullTitle(), state: "failed", error: describe(error) }),
    );
}

function tell(running: string): void {
  if ("document" in globalThis) realm.running = running;
  else realm.postMessage({ running });
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const stack = error.stack ?? "";
  return stack.includes(error.message) ? stack : `${error.name}: ${error.message}\n${stack}`;
}
