import assert from "node:assert/strict";
import { test } from "node:test";
import { explore } from "./explore.js";
import { failureOf } from "../../test/model/interleavings.js";
import type { ExploreOptions } from "./exploration.js";
import { modelHost } from "./model-host.js";
import { UnrepeatableAgentError } from "./recorded-agent.js";
import type { Substrate } from "../substrate/substrate.js";

// What explore() reports, and what agents may do.

/** What an agent of a test returned, in every schedule. */
function resultsOf(name: string, options: ExploreOptions): Set<unknown> {
  const results = new Set<unknown>();
  explore({ ...options, check: (_memory, outcome) => results.add(outcome.results[name]) });
  return results;
}

test("a report lists every move with its result, how things ended, and a schedule to repeat it", () => {
  const failure = failureOf({
    words: 4,
    nameOf: (word) => ["BELL", "DONE"][word] ?? `word ${word}`,
    agents: {
      waiter: (memory) => (memory.load(1) === 0 ? memory.park(0, 0, Infinity) : "done"),
      ringer(memory) {
        memory.store(1, 1);
        return memory.wake(0);
      },
    },
  });
  assert.equal(
    failure.message,
    `No agent is left to wake waiter
   1  waiter  load(DONE) -> 0
   2  ringer  store(DONE, 1)
   3  ringer  wake(BELL) -> 0
   4  waiter  park(BELL, 0, Infinity) sleeps
   =  waiter  sleeps in park(BELL, 0, Infinity)
   =  ringer  returned 0
replay: "0110:1"`,
  );
  assert.equal(failure.kind, "deadlock");
  assert.equal(failure.schedule, "0110:1");
});

test("replay runs one schedule and returns its trace", () => {
  const agents = { first: (memory: Substrate) => memory.add(0, 1), second: (memory: Substrate) => memory.add(0, 2) };
  const { schedules, trace } = explore({ words: 1, agents, replay: "10:0" });
  assert.equal(schedules, 1);
  assert.match(trace!, /^ +1 +second +add\(0, 2\) -> 0\n +2 +first +add\(0, 1\) -> 2\n/);
});

test("replay refuses what is no schedule, and a schedule of another program", () => {
  const agents = [(memory: Substrate) => memory.add(0, 1)];
  assert.throws(() => explore({ words: 1, agents, replay: "0" }), RangeError);
  assert.throws(() => explore({ words: 1, agents, replay: "00:0" }), RangeError);
  assert.throws(() => explore({ words: 1, agents, replay: "?0:0" }), RangeError);
});

test("a throw by an agent fails the exploration with its cause (explore.3)", () => {
  const cause = new TypeError("no");
  const failure = failureOf({
    words: 1,
    agents: {
      first: (memory) => memory.store(0, 1),
      second(memory) {
        if (memory.load(0) === 1) throw cause;
      },
    },
  });
  assert.equal(failure.kind, "threw");
  assert.equal(failure.cause, cause);
  assert.match(failure.message, /^second threw TypeError: no\n[^]* = +second +threw TypeError: no/);
});

test("an invariant is judged at every moment, and what it changes is undone (explore.5, model-memory.2)", () => {
  const failure = failureOf({
    words: 2,
    agents: {
      only(memory) {
        memory.add(0, 1);
        memory.add(0, -1);
      },
    },
    invariant(memory) {
      assert.equal(memory.load(1), 0);
      memory.store(1, 1);
      assert.equal(memory.load(0), 0);
    },
  });
  assert.equal(failure.kind, "invariant");
  assert.equal(failure.schedule, "0:0");
});

test("too many states and too many steps of one agent are failures, not silence", () => {
  const agents = [0, 1].map((word) => (memory: Substrate) => {
    for (let step = 0; step < 20; step++) memory.add(word, 1);
  });
  assert.equal(explore({ words: 2, agents, limits: { states: 441 } }).states, 441);
  assert.equal(failureOf({ words: 2, agents, limits: { states: 440 } }).kind, "limit");
  assert.equal(failureOf({ words: 2, agents, limits: { stepsPerAgent: 19 } }).kind, "limit");
});

test("an agent that reads a clock of its own, or shares state, is refused (explore.1)", () => {
  let runs = 0;
  const sharing = (memory: Substrate) => {
    memory.add(0, 1);
    memory.add(0, (runs += 1));
    memory.add(0, 1);
  };
  assert.throws(() => explore({ words: 1, agents: [sharing] }), UnrepeatableAgentError);
  const shorter = (memory: Substrate) => {
    memory.add(0, 1);
    if ((runs += 1) < 2) memory.add(0, 2);
  };
  runs = 0;
  assert.throws(() => explore({ words: 1, agents: [shorter] }), UnrepeatableAgentError);
});

test("an asynchronous agent is refused", () => {
  const agent = async (memory: Substrate) => memory.add(0, 1);
  assert.throws(() => explore({ words: 1, agents: [agent] }), /a plain function is wanted/);
});

test("finally, using, catch and wrapped errors in the agents' code change nothing (recorded-agent.2)", () => {
  class Wrapped extends Error {}
  const careful = (memory: Substrate) => {
    using _disposed = { [Symbol.dispose]: () => memory.add(2, 1) };
    try {
      try {
        memory.add(0, 1);
      } catch (error) {
        memory.store(0, 100);
        throw new Wrapped("wrapped", { cause: error });
      } finally {
        memory.add(1, 1);
      }
    } catch {
      memory.store(1, 100);
      return "caught";
    }
    return "ended";
  };
  const { schedules } = explore({
    words: 3,
    prune: false,
    agents: { first: careful, second: careful },
    check(memory, { results }) {
      assert.deepEqual(
        [0, 1, 2].map((word) => memory.load(word)),
        [2, 2, 2],
      );
      assert.deepEqual(results, { first: "ended", second: "ended" });
    },
  });
  assert.equal(schedules, 20);
});

test("an agent is killed before each of its steps and after its last one, and recovery runs", () => {
  const seen = new Set<string>();
  const { schedules } = explore({
    words: 3,
    agents: {
      worker(memory) {
        memory.store(0, 1);
        memory.store(1, 1);
        return "ended";
      },
    },
    crash: { recover: { reaper: (memory, victim) => [victim, memory.exchange(2, 1)] } },
    check(memory, { results, crashed }) {
      seen.add(`${memory.load(0)}${memory.load(1)}${memory.load(2)} ${JSON.stringify([results, crashed])}`);
    },
  });
  assert.deepEqual(
    [...seen].sort(),
    [
      '001 [{"reaper":[0,0]},["worker"]]',
      '101 [{"reaper":[0,0]},["worker"]]',
      '110 [{"worker":"ended"},[]]',
      '111 [{"worker":"ended","reaper":[0,0]},["worker"]]',
    ].sort(),
  );
  assert.equal(schedules, 4);
});

test("a killed agent is named in the trace, and no longer woken", () => {
  const failure = failureOf({
    words: 1,
    agents: { sleeper: (memory) => memory.park(0, 0, 5), ringer: (memory) => memory.wake(0) },
    crash: { agents: ["sleeper"] },
    check: (_memory, { results, crashed }) => {
      if (crashed.length > 0) assert.notEqual(results["ringer"], 0);
    },
  });
  assert.match(failure.message, /sleeper +is killed\n/);
  assert.match(failure.message, / = +sleeper +is dead\n/);
});

test("no more agents die in one schedule than were asked for, and a reaper may die too", () => {
  const seen = new Set<string>();
  explore({
    words: 2,
    agents: { first: (memory) => memory.add(0, 1), second: (memory) => memory.add(0, 1) },
    crash: {
      agents: ["first", "second", "reaper"],
      most: 2,
      recover: { reaper: (memory) => memory.add(1, 1), otherReaper: (memory) => memory.add(1, 1) },
    },
    check: (_memory, { crashed }) => seen.add(crashed.join()),
  });
  assert.deepEqual([...seen].sort(), ["", "first", "first,reaper", "first,second", "second", "second,reaper"].sort());
});

test("an early return does not hide that no agent is left to wake a sleeper", () => {
  const sleeper = (memory: Substrate) => memory.park(0, 0, Infinity);
  assert.equal(failureOf({ words: 1, agents: { sleeper }, spuriousWakes: 1 }).kind, "deadlock");
});

test("a time limit hides that no agent is left to wake a sleeper, unless parks may not time out", () => {
  const sleeper = (memory: Substrate) => memory.park(0, 0, 50);
  assert.equal(explore({ words: 1, agents: { sleeper } }).schedules, 1);
  assert.equal(failureOf({ words: 1, agents: { sleeper }, timeouts: false }).kind, "deadlock");
});

test("an agent that does not exist cannot be killed", () => {
  assert.throws(() => explore({ words: 1, agents: [], crash: { agents: ["unknown"] } }), RangeError);
});

test("modelHost() never spins, and its clock moves by the parks that time out", () => {
  const ages = resultsOf("waiter", {
    words: 1,
    agents: {
      waiter(memory) {
        const host = modelHost(memory);
        const start = host.nowNs();
        assert.equal(host.spinNs, 0);
        const result = memory.park(0, 0, 20);
        return `${result} ${host.nowNs() - start}`;
      },
      ringer: (memory) => memory.wake(0),
    },
  });
  assert.deepEqual([...ages].sort(), ["timed-out 20000000", "woken 0"]);
});

test("modelHost() collects warnings and takes overrides", () => {
  const [warnings] = resultsOf("only", {
    words: 1,
    agents: {
      only(memory) {
        const host = modelHost(memory, { mayBlock: false });
        host.warn("first");
        memory.add(0, 1);
        host.warn("second");
        host.after(1, () => memory.add(0, 1))();
        host.keepAlive()();
        return `${host.warnings.join()} ${host.mayBlock}`;
      },
    },
  });
  assert.equal(warnings, "first,second false");
});
