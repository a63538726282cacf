import assert from "node:assert/strict";
import { test } from "node:test";
import { ringAll } from "../../src/domain/agent-slot.js";
import { clearBit } from "../../src/domain/bits.js";
import { EXPLORES, tryAll, type Program } from "./interleavings.js";
import {
  bytesOf,
  consumes,
  domain,
  joins,
  joinsAndDies,
  joinsTooLate,
  losesConsumer,
  losesProducer,
  ONE,
  openStream,
  PRODUCER,
  produces,
  recovers,
  scenario,
  seeing,
  TWO,
  type Seen,
} from "./stream-model.js";
import { failsTooLate, isLookedAt, isLookedFor, isWaitedFor } from "./stream-onlookers.js";

// Frames between a producer and its consumers; the contract is in src/stream/stream-slot.ts.

test(
  "stream-slot.2 stream-slot.4 stream-slot.5: a consumer that holds the producer sees every frame, once and in order",
  EXPLORES,
  (t) => {
    tryAll(t, domain, seeing([[1, 2, 3]], scenario([produces(3), consumes(ONE, "block")], ["block"])));
  },
);

for (const policy of ["drop-oldest", "newest"] as const) {
  test(
    `stream-slot.1 stream-slot.2 stream-slot.4: a consumer with policy ${policy} sees frames in order, none twice, and the last one`,
    EXPLORES,
    (t) => {
      for (const buffers of [1, 2]) {
        const agents = [produces(2, { buffers }), consumes(ONE, policy, { buffers })];
        tryAll(t, domain, seeing([[1, 2], [2]], scenario(agents, [policy])));
      }
    },
  );
}

test(
  "stream-slot.1 stream-slot.2 stream-slot.3: a consumer that joins at any time, and holds the producer, misses nothing after its first frame",
  EXPLORES,
  (t) => {
    tryAll(t, domain, seeing([[1, 2, 3], [2, 3], [3]], scenario([produces(3), joins(ONE, "block")], [])));
  },
);

test(
  "stream-slot.3 stream-slot.5: a producer waits for one consumer to take a frame, and for another to give it back",
  EXPLORES,
  (t) => {
    const readers = domain.layout.buffer(0) + domain.layout.BUFFER.READERS;
    // What the end of its hold does.
    const givesBack: Program = (memory) => {
      const segment = domain.segment(memory);
      clearBit(segment.memory, readers, TWO);
      ringAll(segment, domain.layout.buffer(0) + domain.layout.BUFFER.HOLD_WAITERS);
    };
    const one = { buffers: 1 };
    const { prepare, ...rest } = scenario([produces(1, one), consumes(ONE, "block", one), givesBack], ["block"]);
    tryAll(t, domain, {
      ...seeing([[1, 1]], rest),
      prepare(memory) {
        prepare!(memory);
        const producer = openStream(domain.agent(memory, PRODUCER), 1, true);
        const loan = producer.loanSync()!;
        memory.store(bytesOf(loan), 1);
        loan.publish();
        assert.ok(openStream(domain.agent(memory, TWO), 1).frames().nextSync());
      },
    });
  },
);

test("stream-slot.5: a consumer that leaves at any time lets the producer go on", EXPLORES, (t) => {
  tryAll(t, domain, seeing([[1]], scenario([produces(3), consumes(ONE, "block", { most: 1 })], ["block"])));
});

test("stream-slot.3 stream-slot.5: a consumer may die at any step, and the producer goes on", EXPLORES, (t) => {
  const one = { buffers: 1 };
  const living = scenario([produces(2, one), consumes(ONE, "block", one)], ["block"]);
  tryAll(t, domain, { ...living, crash: { agents: [1], recover: { reaper: recovers } } });
});

test(
  "stream-slot.1 stream-slot.2 stream-slot.4: a producer may die at any step, and the consumer sees what was published, and that it died",
  EXPLORES,
  (t) => {
    const { check, ...rest } = seeing([[], [1], [1, 2]], scenario([produces(2), consumes(ONE, "block")], ["block"]));
    tryAll(t, domain, {
      ...rest,
      crash: { agents: [0], recover: { reaper: recovers } },
      check(memory, outcome) {
        check!(memory, outcome);
        const { frames, end } = outcome.results[1] as Seen;
        if (frames.length < 2) assert.equal(end, "ESRCH", `after ${frames.join()}`);
      },
    });
  },
);

test(
  "stream-slot.5 stream-slot.10 recovery.1: a producer does not wait for a dead consumer whose reaper is stopped",
  EXPLORES,
  (t) => {
    tryAll(t, domain, losesConsumer());
  },
);

test(
  "stream-slot.4 stream-slot.9 recovery.8: a consumer is told of the death of its producer, whose reaper is stopped",
  EXPLORES,
  (t) => {
    tryAll(t, domain, losesProducer());
  },
);

test("stream-slot.6: a consumer that dies at any step while it joins or leaves keeps no place", EXPLORES, (t) => {
  tryAll(t, domain, joinsAndDies());
});

test("stream-slot.6 stream-slot.7: no consumer of a past stream gets into the next one in its slot", EXPLORES, (t) => {
  tryAll(t, domain, joinsTooLate());
});

test(
  "stream-slot.8: a consumer that only joins or leaves, or dies at that, is not seen before it is whole",
  EXPLORES,
  (t) => {
    for (const dies of [false, true]) tryAll(t, domain, isLookedAt(undefined, { dies }));
  },
);

test(
  "stream-slot.2 stream-slot.8: a consumer that is counted gets every frame that is published then",
  EXPLORES,
  (t) => {
    tryAll(t, domain, isWaitedFor());
  },
);

test(
  "stream-slot.11: a consumer has missed what was lost before the last frame that it has got, whatever it has dropped",
  EXPLORES,
  (t) => {
    for (const policy of ["block", "drop-oldest", "newest"] as const) {
      const agents = [produces(2, { missed: 2 }), consumes(ONE, policy)];
      const { check, ...rest } = scenario(agents, [policy]);
      tryAll(t, domain, {
        ...rest,
        check(memory, outcome) {
          check!(memory, outcome);
          const { frames, missed } = outcome.results[1] as Seen;
          assert.equal(missed, 2 * 2 + (2 - frames.length), `it has seen ${frames.join()}`);
        },
      });
    }
  },
);

test(
  "stream-slot.11: a consumer that joins at any time has missed nothing that was lost before its first frame was there",
  EXPLORES,
  (t) => {
    const { check, ...rest } = scenario([produces(2, { missed: 2 }), joins(ONE, "block")], []);
    tryAll(t, domain, {
      ...rest,
      check(memory, outcome) {
        check!(memory, outcome);
        const { frames, missed } = outcome.results[1] as Seen;
        // With its first frame what was lost before it, if it came after the join; with each further one all that was lost.
        const least = Math.max(0, frames.length - 1) * 2;
        assert.ok(
          missed === least || missed === least + 2 || (frames.length === 2 && missed === 0),
          `it has seen ${frames.join()}, and missed ${missed}`,
        );
      },
    });
  },
);

test(
  "stream-slot.11: a producer may die at any step, and what was lost before a frame that is not there is not missed",
  EXPLORES,
  (t) => {
    const { check, ...rest } = scenario([produces(2, { missed: 2 }), consumes(ONE, "block")], ["block"]);
    tryAll(t, domain, {
      ...rest,
      crash: { agents: [0], recover: { reaper: recovers } },
      check(memory, outcome) {
        check!(memory, outcome);
        const { frames, missed } = outcome.results[1] as Seen;
        assert.equal(missed, frames.length * 2, `it has seen ${frames.join()}`);
      },
    });
  },
);

test("stream-slot.9: a producer that has left, or died, is not there again when its slot is taken", EXPLORES, (t) => {
  for (const death of [false, true]) tryAll(t, domain, isLookedFor(death));
});

test("stream-slot.9: the death of a producer, told late, ends no later stream of its slot", EXPLORES, (t) => {
  tryAll(t, domain, failsTooLate());
});
