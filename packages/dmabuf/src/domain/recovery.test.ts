/** How much of the control segment a death, a leave and a look at everything touch: what was ever used, and no more. */
import { agentOf } from "../domain-base.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { BareDomain, createMemory } from "../../test/bare-domain.js";
import { promiseFence } from "../fence/promise-fence.js";
import { rawFormat } from "../stream/format.js";
import type { Substrate } from "../substrate/substrate.js";
import { checkSizes, type Sizes } from "./sizes.js";

const LARGE: Partial<Sizes> = { agents: 256, buffers: 4096, timelines: 8192, oneShots: 65_536, streams: 1024 };

/** Two agents of a domain that was never used otherwise, and how many words the first one touches. */
class Couple {
  readonly survivor: BareDomain;
  readonly other: BareDomain;
  readonly #touched = new Set<number>();

  constructor(sizes: Partial<Sizes>) {
    const memory = createMemory(sizes);
    this.survivor = new BareDomain(noting(memory, this.#touched), "survivor");
    this.other = new BareDomain(memory, "other", { keepAlive: () => () => {} });
  }

  wordsTouchedBy(run: (survivor: BareDomain) => void): number {
    this.#touched.clear();
    run(this.survivor);
    return this.#touched.size;
  }

  /** The other agent dies. */
  wordsTouchedByDeath(): number {
    return this.wordsTouchedBy((survivor) => survivor.bury(agentOf(this.other).identity));
  }
}

test("recovery.9: a death in a domain of the default sizes that was hardly used touches fewer than a hundred words", () => {
  assert.ok(new Couple({}).wordsTouchedByDeath() < 100);
});

test("recovery.9: what a death touches does not grow with the sizes of the domain", () => {
  assert.equal(new Couple(LARGE).wordsTouchedByDeath(), new Couple({}).wordsTouchedByDeath());
});

test("recovery.9: what a death touches grows with what was used, by a few words for each thing", () => {
  const use: Record<string, (domain: BareDomain) => void> = {
    buffer: (domain) => void domain.allocate(1),
    timeline: (domain) => void domain.createTimeline(),
    "published fence": (domain) => void promiseFence(agentOf(domain), new Promise(() => {})).handle(),
    stream: (domain) => void domain.createStream({ format: rawFormat(1), buffers: 1 }),
  };
  for (const [thing, take] of Object.entries(use)) {
    for (const sizes of [checkSizes({}), LARGE]) {
      const touched = [10, 20].map((count) => {
        const couple = new Couple(sizes);
        for (let i = 0; i < count; i++) take(couple.survivor);
        return couple.wordsTouchedByDeath();
      });
      const each = (touched[1]! - touched[0]!) / 10;
      assert.ok(each > 0 && each <= 20, `${each} words for each ${thing}`);
    }
  }
});

test("table.2: handles, attachments and pins of some buffers cost a death nothing at the others", () => {
  const couple = new Couple(LARGE);
  for (let i = 0; i < 20; i++) couple.survivor.allocate(1);
  const before = couple.wordsTouchedByDeath();
  const used = new Couple(LARGE);
  const first = Array.from({ length: 20 }, () => used.survivor.allocate(1))[0]!;
  first.handle();
  const attachment = first.attachSync({ moveNotify: () => {} });
  using _lock = first.reservation.lockSync();
  attachment.pinSync();
  const more = used.wordsTouchedByDeath() - before;
  assert.ok(more > 0 && more < 10, `${more} words more`);
});

test("table.2: a leave, and looks at all agents and buffers, touch what was used", () => {
  for (const sizes of [checkSizes({}), LARGE]) {
    const couple = new Couple(sizes);
    couple.survivor.allocate(1);
    const looked = couple.wordsTouchedBy((survivor) => {
      assert.deepEqual(survivor.agents, ["survivor", "other"]);
      assert.equal(survivor.statistics().length, 1);
      assert.match(survivor.bufferInfo(), /Total 1 objects/);
    });
    assert.ok(looked < 200, `${looked} words`);
    const left = couple.wordsTouchedBy((survivor) => survivor.close());
    assert.ok(left < 200, `${left} words`);
  }
});

/** The same memory, with a note of each word that is touched. */
function noting(memory: Substrate, touched: Set<number>): Substrate {
  return new Proxy(memory, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== "function" || key === "pause") return value;
      return (word: number, ...rest: unknown[]): unknown => {
        touched.add(word);
        return Reflect.apply(value, target, [word, ...rest]);
      };
    },
  });
}
