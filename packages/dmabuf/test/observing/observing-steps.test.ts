/** What an observer finds of domains that are made and closed while it looks for them: at each step of either. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { agentOf } from "../../src/domain-base.js";
import type { DmaBufError } from "../../src/index.js";
import { ProcessDomain } from "../../src/node/index.js";
import { memoryHook } from "../../src/node/joining/control-segment.js";
import { SteppedSubstrate } from "../../src/testing/index.js";
import { FailingLibrary } from "../process/failing-library.js";
import { mappedFiles, openFiles } from "../process/open-files.js";

const LIMITED = { timeout: 120_000 };
const SIZES = { agents: 2, buffers: 2, timelines: 2, oneShots: 2, streams: 2, requests: 2, syncobjs: 2, userFences: 2 };
const NONE = "ENOENT";
const TWO = "EINVAL: 2 domains";

const library = FailingLibrary.install();

/** The states of the agents that an observer of this process sees; or why it sees none. */
function look(domain?: string): string {
  try {
    using observer = ProcessDomain.observe(process.pid, domain === undefined ? {} : { domain });
    return observer.agents.map(({ state }) => state).join();
  } catch (error) {
    const { code, message } = error as DmaBufError;
    if (code === "ENOENT") return NONE;
    return `${code}: ${/there are (2 domains)/.exec(message)?.[1] ?? message}`;
  }
}

/** Does something, and looks before each system call and each operation on the words of domains that are made then. */
function lookedAtSteps(act: () => void, domain?: string): Set<string> {
  const seen = new Set<string>();
  const see = (): void => void seen.add(look(domain));
  const { wrap } = memoryHook;
  memoryHook.wrap = (memory) => {
    const stepped = new SteppedSubstrate(memory);
    const seeNext = (): void => stepped.begin({ at: 1, happen: () => (library.unheard(see), seeNext()) });
    seeNext();
    return stepped;
  };
  library.before = see;
  try {
    act();
  } finally {
    library.before = () => {};
    memoryHook.wrap = wrap;
  }
  return seen;
}

function makeAndClose(): void {
  ProcessDomain.create(SIZES).close();
}

test(
  "at each step of making and closing, a domain is there or not, and is no error: domain-observer.4",
  LIMITED,
  () => {
    makeAndClose();
    assert.deepEqual(lookedAtSteps(makeAndClose), new Set([NONE, "live"]));
  },
);

test("a domain that is made or closed is not in the way of another one: domain-observer.4", LIMITED, (t) => {
  const steady = ProcessDomain.create(SIZES);
  t.after(() => steady.close());
  assert.deepEqual(lookedAtSteps(makeAndClose), new Set(["live", TWO]));
  assert.deepEqual(lookedAtSteps(makeAndClose, agentOf(steady).domain), new Set(["live"]));
});

/** Looks, and does something before one of the system calls of that. @returns Whether there was that call. */
function lookedAtCall(
  at: number,
  act: () => void,
  domain?: string,
): { readonly seen: string; readonly acted: boolean } {
  let calls = 0;
  library.before = () => {
    calls++;
    if (calls === at) act();
  };
  try {
    return { seen: look(domain), acted: calls >= at };
  } finally {
    library.before = () => {};
  }
}

for (const [what, next] of [
  ["", () => undefined],
  [", and another one has its descriptors", () => ProcessDomain.create(SIZES)],
] as const) {
  test(`a domain that is closed at any call of the look${what}, is not in the way: domain-observer.4`, LIMITED, (t) => {
    const steady = ProcessDomain.create(SIZES);
    t.after(() => steady.close());
    look();
    const before = [openFiles(), mappedFiles()];
    for (const domain of [undefined, agentOf(steady).domain]) {
      const seen = new Set<string>();
      for (let at = 1, acted = true; acted; at++) {
        const other = ProcessDomain.create(SIZES);
        let after: ProcessDomain | undefined;
        const replace = (): void => {
          other.close();
          after = next();
        };
        const looked = lookedAtCall(at, replace, domain);
        acted = looked.acted;
        seen.add(looked.seen);
        (after ?? other).close();
      }
      assert.deepEqual(seen, new Set(domain === undefined ? ["live", TWO] : ["live"]));
    }
    assert.deepEqual([openFiles(), mappedFiles()], before);
  });
}
