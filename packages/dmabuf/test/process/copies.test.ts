/** The ledger of copies, as it is seen from outside; and that the library copies nothing that is not in it. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { test, type TestContext } from "node:test";
import { PAGE_SIZE, rawFormat } from "../../src/index.js";
import { ProcessDomain, writableFrom, type DomainObserver, type SnapshotCopy } from "../../src/node/index.js";
import { listen } from "./holder-process.js";

const LIMITED = { timeout: 60_000 };

/** A domain of this process, and an observer of it. */
function observed(t: TestContext, debug = false): { domain: ProcessDomain; observer: DomainObserver } {
  const { domain, place } = listen(t, { debug });
  using handle = domain.allocate(PAGE_SIZE).handle();
  const observer = ProcessDomain.observe(place, { domain: handle.domain });
  t.after(() => observer.close());
  return { domain, observer };
}

test(
  "what is written to a stream of Node.js is found in the ledger, by an observer as by the domain",
  LIMITED,
  async (t) => {
    const { domain, observer } = observed(t);
    using stream = domain.createStream({ format: rawFormat(4), buffers: 4 });
    await pipeline(Readable.from([Buffer.from("1234"), Buffer.from("5678")]), writableFrom(stream));
    assert.deepEqual(domain.copies(), [{ agent: "here", why: "writableFrom()", bytes: 8, times: 2 }]);
    const { copies, agents, tables } = observer.snapshot();
    assert.deepEqual(copies, [{ agent: agents[0]!.identity, why: "writableFrom()", bytes: 8, times: 2 }]);
    assert.equal(tables.find(({ name }) => name === "copies")!.used, 1);
  },
);

test("an agent that debugs tells each place of its program, and an observer reads it", LIMITED, async (t) => {
  const { domain, observer } = observed(t, true);
  using buffer = domain.allocate(PAGE_SIZE);
  using access = await buffer.access("read");
  for (let i = 0; i < 2; i++) access.copy();
  access.copy();
  const found: readonly SnapshotCopy[] = observer.snapshot().copies;
  assert.deepEqual(
    found.map(({ times, bytes }) => [times, bytes / PAGE_SIZE]),
    [
      [2, 2],
      [1, 1],
    ],
  );
  for (const { place } of found) assert.match(place!, /copies\.test\.js:\d+:\d+$/);
  assert.notEqual(found[0]!.place, found[1]!.place);
});
