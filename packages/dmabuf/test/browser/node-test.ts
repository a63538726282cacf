/**
 * Stands in for `node:test` in a browser: the part that neutral suites use, on mocha's browser build.
 *
 * A subtest (`t.test`) runs inside its parent, whose failure then names it.
 */

/** mocha's globals, put there by `mocha.setup({ ui: "bdd" })`. */
interface Mocha {
  it(name: string, body?: Body): { reason?: string };
  describe(name: string, body: () => void): void;
  before(body: Body): void;
  after(body: Body): void;
  beforeEach(body: Body): void;
  afterEach(body: Body): void;
}
interface MochaContext {
  test?: { reason?: string };
  timeout(ms: number): void;
  skip(): never;
}
type Body = (this: MochaContext) => unknown;

interface Options {
  timeout?: number | undefined;
  skip?: boolean | string | undefined;
  todo?: boolean | string | undefined;
}

/** What a test's function gets. */
interface Context {
  readonly name: string;
  /** Aborts when the test ends. */
  readonly signal: AbortSignal;
  after(cleanUp: () => unknown): void;
  skip(reason?: string): void;
  todo(reason?: string): void;
  diagnostic(message: string): void;
  test(...args: Args<Test>): Promise<void>;
}
type Test = (context: Context) => unknown;
type Group = () => void;
type Args<B extends Test | Group> = [name: string, options: Options, body?: B] | [name: string, body?: B];

const mocha = globalThis as unknown as Mocha;

export function test(...args: Args<Test>): void {
  const { name, options, body } = parse(args);
  if (isSkipped(options) || body === undefined) leaveOut(name, options);
  else mocha.it(name, adapt(name, options, body));
}

export function describe(...args: Args<Group>): void {
  const { name, options, body } = parse(args);
  if (isSkipped(options) || body === undefined) leaveOut(name, options);
  else mocha.describe(name, body);
}

test.skip = (...args: Args<Test>): void => leaveOut(args[0]);
test.todo = (...args: Args<Test>): void => leaveOut(args[0]);
describe.skip = (...args: Args<Group>): void => leaveOut(args[0]);

export { test as it, describe as suite };
export default test;

export const before = hook("before");
export const after = hook("after");
export const beforeEach = hook("beforeEach");
export const afterEach = hook("afterEach");

function parse<B extends Test | Group>(args: Args<B>): { name: string; options: Options; body: B | undefined } {
  const [name, second, third] = args;
  if (typeof second === "function" || second === undefined) return { name, options: {}, body: second };
  return { name, options: second, body: third };
}

function isSkipped({ skip, todo }: Options): boolean {
  return (skip ?? false) !== false || (todo ?? false) !== false;
}

/** Lists a test that does not run, with the reason, which the reports have. */
function leaveOut(name: string, { skip, todo }: Options = {}): void {
  const reason = [skip, todo].find((value) => typeof value === "string");
  Object.assign(mocha.it(name), { reason });
}

/** mocha's form of a test. */
function adapt(name: string, options: Options, body: Test): Body {
  return async function () {
    limit(this, options);
    const reason = await run(name, body);
    if (reason === undefined) return;
    Object.assign(this.test ?? {}, { reason });
    this.skip();
  };
}

/** Runs a test with its context, cleans up after it, and returns the reason if it asked to count as skipped. */
async function run(name: string, body: Test): Promise<string | undefined> {
  const cleanUps: (() => unknown)[] = [];
  const end = new AbortController();
  let skipped: string | undefined;
  const context: Context = {
    name,
    signal: end.signal,
    after: (cleanUp) => void cleanUps.push(cleanUp),
    skip: (reason = "") => void (skipped = reason),
    todo: (reason = "") => void (skipped = reason),
    diagnostic: () => undefined,
    async test(...args) {
      const inner = parse(args);
      if (isSkipped(inner.options) || inner.body === undefined) return;
      try {
        await run(`${name} > ${inner.name}`, inner.body);
      } catch (error) {
        if (error instanceof Error) error.message = `${inner.name}: ${error.message}`;
        throw error;
      }
    },
  };
  try {
    await body(context);
  } finally {
    end.abort();
    for (const cleanUp of cleanUps) await cleanUp();
  }
  return skipped;
}

function hook(kind: "before" | "after" | "beforeEach" | "afterEach") {
  return (body: () => unknown, options: Options = {}): void =>
    mocha[kind](async function () {
      limit(this, options);
      await body();
    });
}

function limit(context: MochaContext, { timeout }: Options): void {
  // mocha writes "no limit" as 0.
  if (timeout !== undefined) context.timeout(timeout === Infinity ? 0 : timeout);
}
