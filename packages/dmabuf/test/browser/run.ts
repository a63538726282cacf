import type { Engine, EnginePage } from "dmabuf-browsers";
import type { Report, TestReport } from "./report.js";

/** Where a suite runs: a page may not block its thread, a worker may. */
export const REALMS = ["page", "worker"] as const;
export type Realm = (typeof REALMS)[number];

/** How many suites a page runs: engines have room for so many shared memories, and give them back late. */
const SUITES_OF_A_PAGE = 20;

/**
 * How long a suite may take, in milliseconds: ten times the longest on a machine that does nothing else. In Firefox, each death
 * of a worker takes a second.
 */
const TIMEOUT = 240_000;

/** How long a page may not answer, and how long it may take to load its modules, in milliseconds. */
const LONGEST_SILENCE = 120_000;

/** What a suite has reported, or after ten seconds what it is at. */
const LOOK = `Promise.race([
  ended.then((reports) => ({ reports })),
  new Promise((resolve) => setTimeout(resolve, 10_000)).then(() => ({ running: globalThis.running })),
])`;

/**
 * Runs suites in one realm of an engine, one after the other: modules are loaded once for many of them. After a suite that has
 * failed outside of its tests, or did not end, the next one has a new page.
 */
export class SuiteRunner implements AsyncDisposable {
  readonly #engine: Engine;
  readonly #origin: string;
  readonly #realm: Realm;
  #page: EnginePage | undefined;
  #suites = 0;

  constructor(engine: Engine, origin: string, realm: Realm) {
    this.#engine = engine;
    this.#origin = origin;
    this.#realm = realm;
  }

  /**
   * @param suite The compiled file, relative to the project.
   * @returns Each test's end.
   * @throws {Error} when the suite did not load or did not end, when it has no test, or when something failed outside of its
   *   tests.
   */
  async run(suite: string): Promise<TestReport[]> {
    try {
      if (this.#suites++ % SUITES_OF_A_PAGE === 0) await this[Symbol.asyncDispose]();
      this.#page ??= await this.#open();
      const reports = await this.#end(this.#page, suite);
      if (reports.some(({ type }) => type === "broken")) {
        // A test that has failed may have left what is rejected later.
        throw new Error(reports.flatMap((report) => ("error" in report ? [report.error] : [])).join("\n"));
      }
      return reports.filter((report) => report.type === "test");
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw new Error(`Cannot run ${suite} in a ${this.#realm}: ${String(error)}`, { cause: error });
    }
  }

  /** What a suite reports at its end; where it does not end, the error names the test that it was at. */
  async #end(page: EnginePage, suite: string): Promise<readonly Report[]> {
    const limit = performance.now() + TIMEOUT;
    let at = "its beginning";
    await page.evaluate(`void (globalThis.ended = runSuite("/${suite}"))`);
    try {
      for (;;) {
        const answer = await page.evaluate<{ reports?: Report[]; running?: string }>(LOOK, {
          timeout: LONGEST_SILENCE,
        });
        if (answer.reports !== undefined) return answer.reports;
        at = answer.running ?? at;
        if (performance.now() > limit) throw new Error(`it did not end within ${TIMEOUT / 1_000} s`);
      }
    } catch (error) {
      throw new Error(`${String(error)}; it was at: ${at}`, { cause: error });
    }
  }

  async #open(): Promise<EnginePage> {
    const page = await this.#engine.open();
    await page.goto(`${this.#origin}/?realm=${this.#realm}`);
    await page.until("globalThis.runSuite !== undefined", { timeout: LONGEST_SILENCE });
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const page = this.#page;
    this.#page = undefined;
    await page?.close();
  }
}
