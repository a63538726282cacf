/**
 * What is left of threads that end while their process lives on, however they came in: nothing.
 *
 * `DMABUF_THREADS=300` has so many of them one after another, instead of 32.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { ProcessDomain } from "../../src/node/index.js";
import { pause, until } from "../agents.js";
import { listen } from "./holder-process.js";
import { INHERITED, THREAD_ENDS, ThreadHost, WAYS, type Catch, type ThreadEnd, type Way } from "./threads.js";

const LIMITED = { timeout: 120_000 };
const SOON = { timeout: 30_000 };
const THREADS = Number(process.env["DMABUF_THREADS"] ?? 32);

/** The ways in which the thread makes the domain. */
const OWN: readonly Way[] = ["create", "listen"];
const DEPTHS = ["a worker", "a worker of a worker"] as const;

/** A socket that others come to keeps its thread. */
const canRunOut = (way: Way): boolean => !OWN.includes(way);

/** Everything that a thread held comes back here, while its process lives. */
async function checkEnd(
  domain: ProcessDomain,
  { handle, fence }: Catch,
  name: string,
  end: () => Promise<void>,
): Promise<void> {
  const buffer = domain.import(handle);
  const stream = await domain.findStream(name, SOON);
  const consumer = stream.frames();
  (await consumer.next(SOON))![Symbol.dispose]();
  const failed = assert.rejects(domain.import(fence).result(SOON), { code: "ESRCH" });
  const ended = assert.rejects(consumer.next(SOON), { code: "ESRCH" });
  const [lock, access] = [buffer.reservation.lock(undefined, SOON), buffer.access("write", SOON)];
  await end();
  (await lock)[Symbol.dispose]();
  (await access)[Symbol.dispose]();
  await Promise.all([failed, ended]);
  await until(() => !domain.agents.includes(name));
  stream.close();
  buffer.close();
}

async function endsUnseen(t: TestContext, way: Way, depth: number, how: ThreadEnd): Promise<void> {
  const here = listen(t);
  const name = "theirs";
  let host: ThreadHost;
  if (way === "inherit") {
    using invitation = here.domain.inviteProcess();
    host = await ThreadHost.start(t, invitation.descriptor);
  } else host = await ThreadHost.start(t);
  const place = { create: `${here.place}-own`, listen: `${here.place}-own`, inherit: String(INHERITED) };
  const caught = await host.startThread({
    way,
    depth,
    name,
    place: { connect: "", join: "", ...place }[way] || here.place,
  });
  const domain = OWN.includes(way) ? await ProcessDomain.connect(`${here.place}-own`, { name: "here" }) : here.domain;
  t.after(() => domain.close());
  await checkEnd(domain, caught, name, () => host.endThread(how));
  await until(() => domain.agents.length === 1);
}

for (const way of WAYS) {
  for (const [depth, who] of DEPTHS.entries()) {
    for (const how of THREAD_ENDS) {
      if (how === "its loop runs out" && !canRunOut(way)) continue;
      // membership.1, membership.3
      test(`${who} that has come by ${way}() and ends by ${how} gives everything back`, LIMITED, (t) =>
        endsUnseen(t, way, depth, how),
      );
    }
  }
}

test("a process whose threads come and end all the time keeps no descriptor and no mapping", LIMITED, async (t) => {
  const { domain, place } = listen(t);
  const host = await ThreadHost.start(t);
  const ways = WAYS.filter((way) => way !== "inherit");
  let first: unknown;
  for (let round = 0; round < THREADS; round++) {
    const way = ways[round % ways.length]!;
    const depth = round % 3 === 0 ? 1 : 0;
    const how = THREAD_ENDS[round % (canRunOut(way) ? 4 : 3)]!;
    const isOwn = OWN.includes(way);
    const name = `thread ${round}`;
    const caught = await host.startThread({ way, depth, name, place: isOwn ? `${place}-${round}` : place });
    if (isOwn) {
      using theirs = await ProcessDomain.connect(`${place}-${round}`);
      await checkEnd(theirs, caught, name, () => host.endThread(how));
    } else await checkEnd(domain, caught, name, () => host.endThread(how));
    // The last one's are released by the next one that comes, or by an agent that its process has.
    if (way !== "connect" || round < ways.length) continue;
    const counts = await host.count();
    first ??= counts;
    assert.deepEqual(counts, first, `after ${round + 1} threads`);
  }
  await pause(0);
});
