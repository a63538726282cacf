/** Hosts that are silent, by their real processes. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { joinHost, peerOf, twoHosts } from "../../test/joined-hosts.js";
import { startHost } from "../../test/started-host.js";

const LONG = { timeout: 120_000 };

async function lost(signal: AbortSignal): Promise<string> {
  if (!signal.aborted) await once(signal, "abort");
  return String(signal.reason);
}

test(
  "a host that is stopped is lost, and comes back under a new incarnation when it goes on host-peers.1 host-peers.5",
  LONG,
  async (t) => {
    const a = await joinHost(t, { hostLimit: 3_000 });
    const program = startHost(t, { hostLimit: 3_000, peers: [a.hosts.self.address] });
    const { self } = await program.next(({ self: own }) => own !== undefined);
    const peer = await peerOf(a.peers, self!.id);
    assert.equal(peer.incarnation, 1);
    await program.next(({ found }) => found === a.hosts.self.id);
    const ticket = a.peers.issue(peer, () => assert.fail("a past incarnation has used its ticket"), 60_000);
    program.child.kill("SIGSTOP");
    assert.match(await lost(peer.lost), /ESRCH: .*was silent for \d+ ms/);
    const again = new Promise<number>((resolve) => a.peers.onPeer(({ incarnation }) => resolve(incarnation)));
    program.child.kill("SIGCONT");
    const own = await program.next(({ lost: id }) => id === a.hosts.self.id);
    assert.match(own.why!, /silent|ended/);
    assert.ok((await again) > 1);
    const line = await program.next(({ found }) => found === a.hosts.self.id);
    assert.equal(line.own, await again);
    await assert.rejects(peer.open(ticket), { code: "ESRCH" });
  },
);

test(
  "a host that finds itself silent by its own clock leaves all others before it hears anything host-peers.5",
  LONG,
  async (t) => {
    const { a, b, seen } = await twoHosts(t, { hostLimit: 200 });
    const before = [a.peers.self.incarnation, b.peers.self.incarnation];
    const heard: unknown[] = [];
    a.peers.serve("news", { hear: (_peer, body) => heard.push(body) });
    seen.a.tell("news", "said before the silence");
    // Both are in this thread, which is silent now.
    const until = performance.now() + 600;
    while (performance.now() < until);
    assert.match(await lost(seen.a.lost), /silent|ended/);
    assert.match(await lost(seen.b.lost), /silent|ended/);
    assert.deepEqual(heard, []);
    await Promise.all([peerOf(a.peers, b.peers.self.id), peerOf(b.peers, a.peers.self.id)]);
    assert.ok(a.peers.self.incarnation > before[0]!);
    assert.ok(b.peers.self.incarnation > before[1]!);
  },
);

/** Between two hosts: what goes through can be held back, in both directions, without the end of a connection. */
async function link(t: TestContext, to: string): Promise<{ address: string; hold(): void; release(): void }> {
  const sockets = new Set<Socket>();
  let isHeld = false;
  const server = createServer((from) => {
    const [host, port] = to.split(":") as [string, string];
    const onward = connect(Number(port), host);
    for (const [one, other] of [
      [from, onward],
      [onward, from],
    ] as const) {
      sockets.add(one);
      one.on("error", () => other.destroy()).on("close", () => (isHeld ? undefined : other.destroy()));
      one.on("data", (bytes) => other.write(bytes));
      if (isHeld) one.pause();
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    hold() {
      isHeld = true;
      for (const socket of sockets) socket.pause();
    },
    release() {
      isHeld = false;
      for (const socket of sockets) socket.destroy();
    },
  };
}

test(
  "hosts between which the network is cut are lost to each other, and meet again as new incarnations host-peers.1 host-peers.6",
  LONG,
  async (t) => {
    const a = await joinHost(t, { hostLimit: 3_000 });
    const network = await link(t, a.hosts.self.address);
    const b = await joinHost(t, { hostLimit: 3_000, peers: [network.address] });
    const [atA, atB] = await Promise.all([peerOf(a.peers, b.peers.self.id), peerOf(b.peers, a.peers.self.id)]);
    network.hold();
    assert.match(await lost(atA.lost), /was silent/);
    assert.match(await lost(atB.lost), /was silent/);
    await pause(100);
    network.release();
    const again = await peerOf(a.peers, b.peers.self.id);
    assert.ok(again.incarnation > atA.incarnation);
    const other = await peerOf(b.peers, a.peers.self.id);
    assert.ok(other.incarnation > atB.incarnation);
  },
);

test("of two hosts the larger limit counts host-peers.2", LONG, async (t) => {
  const a = await joinHost(t, { hostLimit: 60_000 });
  const network = await link(t, a.hosts.self.address);
  const b = await joinHost(t, { hostLimit: 300, peers: [network.address] });
  const atB = await peerOf(b.peers, a.peers.self.id);
  network.hold();
  // Three times the smaller one, and this thread is never silent for so long itself.
  for (let i = 0; i < 30; i++) await pause(30);
  assert.equal(atB.lost.aborted, b.peers.self.incarnation > 1);
});
