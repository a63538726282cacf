import assert from "node:assert/strict";
import { test } from "node:test";
import { joinHost, met, twoHosts } from "../../../test/joined-hosts.js";
import { Hosts } from "../index.js";

const LONG = { timeout: 60_000 };

function overTheNetwork<T>(handle: T): T {
  return JSON.parse(JSON.stringify(handle)) as T;
}

test("a fence of another host signals here, and with its error", LONG, async (t) => {
  const { a, b } = await twoHosts(t);
  using timeline = a.domain.createTimeline({ name: "render" });
  const good = timeline.createFence();
  const bad = timeline.createFence();
  using here = b.hosts.fence(overTheNetwork(a.hosts.share(good)));
  using worse = b.hosts.fence(overTheNetwork(a.hosts.share(bad)));
  assert.equal(here.isSignaled(), false);
  good.signal();
  assert.equal(await here.wait(), "signaled");
  assert.equal(here.status, 1);
  assert.equal(worse.isSignaled(), false);
  bad.setError("EIO");
  bad.signal();
  await worse.wait();
  assert.equal(worse.error?.code, "EIO");
});

test("a fence that has signaled before it is asked for is signaled, also of this host itself", LONG, async (t) => {
  const { a, b } = await twoHosts(t);
  using timeline = a.domain.createTimeline({ name: "render" });
  const fence = timeline.createFence();
  const handle = a.hosts.share(fence);
  fence.signal();
  for (const { hosts } of [a, b]) {
    using here = hosts.fence(overTheNetwork(handle));
    await here.wait();
    assert.equal(here.status, 1);
  }
});

test("the limit here ends the fence here, and changes nothing there host-fences.1 host-fences.2", LONG, async (t) => {
  const { a, b } = await twoHosts(t);
  using timeline = a.domain.createTimeline({ name: "render", timeLimit: 60_000 });
  const fence = timeline.createFence();
  const handle = overTheNetwork(a.hosts.share(fence));
  using short = b.hosts.fence(handle, { timeout: 50 });
  using long = b.hosts.fence(handle);
  await short.wait();
  assert.equal(short.error?.code, "ETIMEDOUT");
  assert.equal(fence.isSignaled(), false);
  fence.signal();
  await long.wait();
  assert.equal(long.status, 1);
  assert.equal(short.error.code, "ETIMEDOUT");
});

test(
  "the loss of a host ends the fences of it, and one that is not there is lost at once host-fences.1",
  LONG,
  async (t) => {
    const { a, b } = await twoHosts(t);
    using timeline = a.domain.createTimeline({ name: "render", timeLimit: 60_000 });
    const handle = overTheNetwork(a.hosts.share(timeline.createFence()));
    using fence = b.hosts.fence(handle);
    // It is asked for before the host leaves.
    using soon = b.hosts.fence(handle, { timeout: 200 });
    await soon.wait();
    await a.hosts.close();
    await fence.wait();
    assert.equal(fence.error?.code, "ESRCH");
    using late = b.hosts.fence(handle);
    await late.wait();
    assert.equal(late.error?.code, "ESRCH");
  },
);

test("a fence of another incarnation of its host is stale host-fences.3", LONG, async (t) => {
  const { a, b } = await twoHosts(t);
  using timeline = a.domain.createTimeline({ name: "render" });
  const handle = { ...a.hosts.share(timeline.createFence()), incarnation: 7 };
  for (const { hosts } of [a, b]) {
    using fence = hosts.fence(handle);
    await fence.wait();
    assert.equal(fence.error?.code, "ESTALE");
  }
});

test("a host waits for its own fence no longer than the one that asks host-fences.4", LONG, async (t) => {
  const { a, b, seen } = await twoHosts(t);
  using timeline = a.domain.createTimeline({ name: "render", timeLimit: 60_000 });
  const { fence } = overTheNetwork(a.hosts.share(timeline.createFence()));
  const question = { incarnation: 1, timeout: 20, fence: fence as never };
  await assert.rejects(seen.a.ask("fences", question, { timeout: 30_000 }), { code: "ETIMEDOUT" });
  for (const damaged of [null, [], { ...question, fence: null }, { ...question, fence: { kind: "fence" } }]) {
    await assert.rejects(seen.a.ask("fences", damaged), { code: "EINVAL" });
  }
  assert.equal(b.hosts.list().length, 1);
});

test("the fence of a third host is waited for through the agent, by any process of the domain", LONG, async (t) => {
  const { a, b } = await twoHosts(t);
  const hosts = await Hosts.connect(b.domain);
  t.after(() => hosts.close());
  using timeline = a.domain.createTimeline({ name: "render" });
  const fence = timeline.createFence();
  using here = hosts.fence(overTheNetwork(a.hosts.share(fence)));
  using short = hosts.fence(overTheNetwork(a.hosts.share(timeline.createFence())), { timeout: 30 });
  await short.wait();
  assert.equal(short.error?.code, "ETIMEDOUT");
  fence.signal();
  await here.wait();
  assert.equal(here.status, 1);
  using own = b.domain.createTimeline({ name: "other" });
  const reply = own.createFence();
  using there = a.hosts.fence(overTheNetwork(hosts.share(reply)));
  reply.signal();
  await there.wait();
  assert.equal(there.status, 1);
});

test("a fence of another domain than the host's is not shared", LONG, async (t) => {
  const a = await joinHost(t);
  const other = await joinHost(t, { peers: [a.hosts.self.address] });
  await met(a, other);
  using timeline = other.domain.createTimeline({ name: "render" });
  const fence = timeline.createFence();
  assert.throws(() => a.hosts.share(fence), { code: "EINVAL" });
  fence.signal();
});
