/**
 * Runs one suite in the realm that loads this module, a page or a worker, and reports each test's end.
 * The suite's path is in this module's own query: `realm.js?suite=/dist/src/errors.test.js`.
 */
import "mocha";
import type { Report } from "./report.js";

/** As much of mocha's browser build as is used here. */
interface MochaBrowser {
  setup(options: { ui: "bdd"; timeout: number; reporter: new () => object }): void;
  run(): MochaRunner;
}
interface MochaRunner {
  on(event: "pass" | "pending", listener: (test: MochaTest) => void): this;
  on(event: "fail", listener: (test: MochaTest, error: unknown) => void): this;
  on(event: "end", listener: () => void): this;
}
interface MochaTest {
  fullTitle(): string;
}
/** As much of a browser's globals. */
interface Realm {
  mocha: MochaBrowser;
  /** In a page: put there by the test that opened it. */
  report?: (report: Report) => void;
  /** In a worker. */
  postMessage(report: Report): void;
  addEventListener(type: "unhandledrejection", listener: (event: { reason: unknown }) => void): void;
}

/** How long a test may take that states no timeout of its own, in milliseconds. */
const TIMEOUT = 30_000;

/** mocha's own reporters write to the page. */
class Silent {}

const realm = globalThis as unknown as Realm;
const report = realm.report ?? ((message: Report) => realm.postMessage(message));

realm.addEventListener("unhandledrejection", ({ reason }) => report({ type: "broken", error: describe(reason) }));
realm.mocha.setup({ ui: "bdd", timeout: TIMEOUT, reporter: Silent });
try {
  await import(new URL(import.meta.url).searchParams.get("suite") ?? "");
  realm.mocha
    .run()
    .on("pass", (test) => report({ type: "test", title: test.fullTitle(), state: "passed" }))
    .on("pending", (test) => report({ type: "test", title: test.fullTitle(), state: "skipped" }))
    .on("fail", (test, error) =>
      report({ type: "test", title: test.fullTitle(), state: "failed", error: describe(error) }),
    )
    .on("end", () => report({ type: "end" }));
} catch (error) {
  report({ type: "broken", error: describe(error) });
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const stack = error.stack ?? "";
  return stack.includes(error.message) ? stack : `${error.name}: ${error.message}\n${stack}`;
}
