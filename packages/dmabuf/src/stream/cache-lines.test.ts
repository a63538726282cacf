import assert from "node:assert/strict";
import { test } from "node:test";
import { domain, ONE, openDomain, openStream, PRODUCER } from "../../test/model/stream-model.js";
import { LINE } from "../domain/record.js";
import type { Substrate } from "../substrate/substrate.js";
import { ModelMemory } from "../testing/model-memory.js";

/** The cache lines that an agent has read, and those that it has written to, by their first words. */
class Lines {
  readonly read = new Set<number>();
  readonly written = new Set<number>();

  /** The same memory, but for the words that are noted. */
  note(memory: Substrate): Partial<Substrate> {
    const reads = (word: number): number => add(this.read, word);
    const writes = (word: number): number => add(this.written, word);
    return {
      load: (word) => memory.load(reads(word)),
      load64: (word) => memory.load64(reads(word)),
      store: (word, value) => memory.store(writes(word), value),
      add: (word, amount) => memory.add(writes(word), amount),
      or: (word, bits) => memory.or(writes(word), bits),
      and: (word, bits) => memory.and(writes(word), bits),
      exchange: (word, value) => memory.exchange(writes(word), value),
      compareExchange: (word, expected, put) => memory.compareExchange(writes(word), expected, put),
    };
  }

  clear(): void {
    this.read.clear();
    this.written.clear();
  }
}

function add(lines: Set<number>, word: number): number {
  lines.add(word - (word % LINE));
  return word;
}

test("a hand-off moves four cache lines of the control segment, besides the frame's own", () => {
  const memory = new ModelMemory(domain.words);
  openDomain(memory);
  const [producers, consumers] = [new Lines(), new Lines()];
  const agent = (slot: number, lines: Lines) => domain.agent(memory, slot, { fault: (memory) => lines.note(memory) });
  const stream = openStream(agent(PRODUCER, producers), 1, true);
  const consumer = openStream(agent(ONE, consumers), 1).frames();
  const handOff = (): void => {
    stream.loanSync()!.publish();
    consumer.nextSync()!.close();
  };
  handOff();
  producers.clear();
  consumers.clear();
  for (let i = 0; i < 10; i++) handOff();

  const moved = [...producers.written, ...consumers.written].filter((line) =>
    [producers, consumers].every(({ read, written }) => read.has(line) || written.has(line)),
  );
  assert.deepEqual(
    [...new Set(moved)].sort((a, b) => a - b).map((line) => domain.nameOf(line)),
    ["buffers[0].WRITER", "streams[0].PUBLISHED", "streams[0].PLACES[0].FRAME", "streams[0].JOINED[0].OWNER"],
  );
});
