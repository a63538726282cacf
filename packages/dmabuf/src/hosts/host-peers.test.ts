import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { ProcessDomain } from "../node/index.js";
import { Hosts } from "./hosts.js";
import type { HostFacts } from "./links/facts.js";
import { approach } from "./links/handshake.js";
import { connectTo } from "./links/open-data.js";
import { HOSTS_KEY, joinHost, met, peerOf, twoHosts, type JoinedHost } from "../../test/joined-hosts.js";

const LONG = { timeout: 60_000 };

test("two hosts that know the key find each other by address, ask and tell", LONG, async (t) => {
  const { a, b, seen } = await twoHosts(t);
  assert.deepEqual([seen.b.name, seen.a.name], ["b", "a"]);
  a.peers.serve("double", { answer: (_peer, body) => (body as number) * 2 });
  assert.equal(await seen.a.ask("double", 21), 42);
  const heard = new Promise((resolve) => b.peers.serve("news", { hear: (_peer, body) => resolve(body) }));
  seen.b.tell("news", { fresh: true });
  assert.deepEqual(await heard, { fresh: true });
  await assert.rejects(seen.a.ask("none", null), { code: "ENOENT" });
  assert.deepEqual(
    a.hosts.list().map(({ id }) => id),
    [b.hosts.self.id],
  );
});

test("a data connection is opened by a ticket, once: its bytes go where they belong", LONG, async (t) => {
  const { a, seen } = await twoHosts(t);
  const ticket = a.peers.issue(seen.b, (socket) => socket.end("hello"));
  const bytes = new Uint8Array(8);
  let count = 0;
  const socket = await seen.a.open(ticket, {
    buffer: () => bytes.subarray(count),
    callback(more) {
      count += more;
      return true;
    },
  });
  await once(socket, "close");
  assert.equal(Buffer.from(bytes.subarray(0, count)).toString(), "hello");
  await assert.rejects(seen.a.open(ticket), { code: "EACCES" });
});

test("a host that leaves is lost to the others at once host-peers.3", LONG, async (t) => {
  const { a, b, seen } = await twoHosts(t);
  await b.hosts.close();
  await lost(seen.b.lost);
  assert.equal((seen.b.lost.reason as { code: string }).code, "ESRCH");
  await assert.rejects(seen.b.ask("any", null), { code: "ESRCH" });
  assert.deepEqual(a.hosts.list(), []);
});

test("of two hosts that connect to each other at the same time one connection is used handshake.5", LONG, async (t) => {
  for (let round = 0; round < 5; round++) {
    const a = await joinHost(t, { port: 0 });
    const b = await joinHost(t);
    // Both begin in the same turn, as each hears of the other.
    const c = await joinHost(t, { peers: [a.hosts.self.address, b.hosts.self.address] });
    await Promise.all([met(a, c), met(b, c)]);
    assert.equal(c.hosts.list().length, 2);
    assert.deepEqual([a.hosts.list().length, b.hosts.list().length], [1, 1]);
  }
});

test(
  "a link is lost to a connection that begins after it, and not to one that began before handshake.6",
  LONG,
  async (t) => {
    const host = await joinHost(t);
    const stranger = standIn(t, host);
    for (let isLate = true; isLate;) {
      const early = await stranger();
      await (await stranger()).prove();
      const { lost } = await peerOf(host.peers, STRANGER.id);
      const { code } = await early.prove().then(
        () => assert.fail("it was welcomed"),
        (error: unknown) => error as { readonly code: string },
      );
      // A proof that comes after its time is refused for that.
      isLate = ["ETIMEDOUT", "ECONNRESET"].includes(code);
      if (!isLate) assert.equal(code, "EEXIST");
      assert.equal(lost.aborted, false);
      await Promise.all([once(lost, "abort"), (await stranger()).prove()]);
    }
  },
);

test("with a host all is lost that was opened for it host-peers.4", LONG, async (t) => {
  const { a, b, seen } = await twoHosts(t);
  let accepted: Socket | undefined;
  await seen.a.open(a.peers.issue(seen.b, (socket) => (accepted = socket)));
  const socket = accepted!;
  const unused = a.peers.issue(seen.b, () => assert.fail("it was used"));
  const end = once(socket, "close");
  await b.hosts.close();
  await end;
  await assert.rejects(seen.a.open(unused), { code: "ESRCH" });
});

test("names that no host or stream can have are refused before anything is listened at", LONG, async () => {
  using domain = ProcessDomain.create();
  const join = (options: object): Promise<Hosts> =>
    Hosts.join(domain, { bind: "127.0.0.1", key: "a key of these tests", ...options });
  for (const name of ["", "x".repeat(32), "ä".repeat(16), "\u0001".repeat(31), "a\nb"]) {
    await assert.rejects(join({ name }), { code: "EINVAL", message: /option "name" must be .*without control/ });
  }
  for (const offers of [[""], ["camera", "x".repeat(32)]]) {
    await assert.rejects(join({ offers }), { name: "RangeError", message: /option "offers" must be/ });
  }
  await assert.rejects(join({ offers: "camera" }), { name: "TypeError" });
  // The longest hello there is: quotes and backslashes take two bytes each.
  await using hosts = await join({ name: "\\".repeat(31), tls: true, offers: ["camera"] });
  assert.equal(hosts.self.name.length, 31);
});

test("a host comes back to others that it was lost to", LONG, async (t) => {
  const a = await joinHost(t, { name: "a" });
  const port = Number(a.hosts.self.address.split(":")[1]);
  const b = await joinHost(t, { name: "b", peers: [a.hosts.self.address] });
  await met(a, b);
  await a.hosts.close();
  const again = await joinHost(t, { name: "a", port });
  const peer = await peerOf(b.peers, again.peers.self.id);
  assert.notEqual(peer.id, a.peers.self.id);
});

const STRANGER: HostFacts = {
  id: "ffffffff-1111-4111-8111-111111111111",
  name: "stranger",
  incarnation: 1,
  address: "127.0.0.1:7400",
  limit: 60_000,
};

/** Connects as another host would, up to its proof. @returns What gives the proof, until it is welcomed. */
function standIn(t: TestContext, { hosts }: JoinedHost): () => Promise<{ readonly prove: () => Promise<HostFacts> }> {
  return async () => {
    const signal = new AbortController().signal;
    const socket = await connectTo({ address: hosts.self.address, limit: 30_000, signal, tls: undefined });
    t.after(() => socket.destroy());
    return new Promise((resolve, reject) => {
      const write = socket.write.bind(socket);
      const hold = (): void => {
        socket.write = (proof: string) => {
          resolve({
            prove() {
              write(proof);
              return welcomed;
            },
          });
          return true;
        };
      };
      const welcomed = approach(socket, undefined, {
        self: STRANGER,
        cluster: "dmabuf",
        secret: HOSTS_KEY,
        decide: hold,
      });
      welcomed.catch(reject);
    });
  };
}

async function lost(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, "abort");
}
