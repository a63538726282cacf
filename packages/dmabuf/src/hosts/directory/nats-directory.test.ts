import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { startCluster, type NatsServer } from "dmabuf-host-lab";
import { joinHost, met } from "../../../test/joined-hosts.js";
import { startServer, WITH_NATS } from "../../../test/nats-server.js";
import { ProcessDomain } from "../../node/index.js";
import { HostPeers } from "../host-peers.js";
import { Hosts } from "../index.js";

test("hosts find each other by NATS, and let each other in by its tickets nats-directory.1", WITH_NATS, async (t) => {
  const { url } = await startServer(t);
  const [a, b, c] = [
    await joinHost(t, { name: "a", servers: [url] }),
    await joinHost(t, { name: "b", servers: [url] }),
    await joinHost(t, { name: "c", servers: [url] }),
  ];
  await Promise.all([met(a, b), met(b, c), met(a, c)]);
  a.peers.serve("echo", { answer: (peer, body) => [peer.name, body] });
  assert.deepEqual(await (await b.peers.reach(a.peers.self.id)).ask("echo", 1), ["b", 1]);
});

test("clusters of other names do not meet", WITH_NATS, async (t) => {
  const { url } = await startServer(t);
  const a = await joinHost(t, { servers: [url], cluster: "one" });
  const b = await joinHost(t, { servers: [url], cluster: "two" });
  const c = await joinHost(t, { servers: [url], cluster: "two" });
  await met(b, c);
  assert.deepEqual(a.hosts.list(), []);
});

test("a host that is not there is known to be gone at once nats-directory.3", WITH_NATS, async (t) => {
  const { url } = await startServer(t);
  const a = await joinHost(t, { servers: [url] });
  const error = await a.peers.reach("11111111-1111-4111-8111-111111111111").catch((reason: unknown) => reason);
  assert.equal((error as { code: string }).code, "ESRCH");
  // By the server's word, and not by a time limit.
  assert.match(String(error), /no responders/);
});

test(
  "a host that is there, and that no connection can be made to, is not there host-peers.7, nats-directory.5",
  WITH_NATS,
  async (t) => {
    const { url } = await startServer(t);
    const [a, b] = await Promise.all(
      ["a", "b"].map((name) => joinHost(t, { name, servers: [url], advertise: "127.0.0.1:1" })),
    );
    await assert.rejects(a!.peers.reach(b!.peers.self.id), {
      code: "ESRCH",
      message: /ECONNREFUSED|it connects|refused/,
    });
    using timeline = b!.domain.createTimeline({ name: "render" });
    const shared = timeline.createFence();
    using fence = a!.hosts.fence(b!.hosts.share(shared));
    await fence.wait();
    assert.equal(fence.error?.code, "ESRCH");
    shared.signal();
  },
);

test(
  "a server that is killed or stopped ends nothing that runs; new hosts are found when it is back nats-directory.2",
  WITH_NATS,
  async (t) => {
    const server = await startServer(t);
    const a = await joinHost(t, { servers: [server.url], hostLimit: 4_000 });
    const b = await joinHost(t, { servers: [server.url], hostLimit: 4_000 });
    const seen = await met(a, b);
    b.peers.serve("echo", { answer: (_peer, body) => body });
    await server.kill();
    await pause(6_000);
    assert.equal(await seen.b.ask("echo", 1, { timeout: 20_000 }), 1);
    await server.start();
    const c = await joinHost(t, { servers: [server.url], hostLimit: 4_000 });
    await Promise.all([met(a, c), met(b, c)]);
    server.stop();
    await pause(6_000);
    assert.equal(await seen.b.ask("echo", 2, { timeout: 20_000 }), 2);
    server.goOn();
    assert.equal(seen.b.lost.aborted, false);
  },
);

test("any of several servers serves", WITH_NATS, async (t) => {
  const all = await startCluster();
  for (const server of all) t.after(() => server.close());
  const [, two, three] = all as [NatsServer, NatsServer, NatsServer];
  const a = await joinHost(t, { servers: all.map(({ url }) => url) });
  const b = await joinHost(t, { servers: [two.url, three.url] });
  await met(a, b);
  await two.kill();
  const c = await joinHost(t, { servers: [three.url] });
  await Promise.all([met(a, c), met(b, c)]);
});

test("a server that lets the host not in, or is not there, is named", WITH_NATS, async (t) => {
  using domain = ProcessDomain.create();
  const server = await startServer(t, 'authorization { user: "camera", password: "of the key" }');
  const bind = "127.0.0.1";
  await assert.rejects(Hosts.join(domain, { bind, servers: [server.url] }), { code: "EACCES" });
  const nats = { user: "camera", pass: "of the key" };
  const hosts = await Hosts.join(domain, { bind, servers: [server.url], nats });
  await hosts.close();
  await server.kill();
  await assert.rejects(Hosts.join(domain, { bind, servers: [server.url] }), {
    code: "ECONNREFUSED",
    message: new RegExp(server.url),
  });
});

test("what is no message of a directory is not taken, and hurts no host nats-directory.4", WITH_NATS, async (t) => {
  const { url } = await startServer(t);
  const warned = new Promise<Error>((resolve) => process.once("warning", resolve));
  const a = await joinHost(t, { servers: [url] });
  const { connect } = await import("@nats-io/transport-node");
  const client = await connect({ servers: url });
  t.after(() => client.close());
  const facts = { id: a.peers.self.id, name: "n", incarnation: 1, address: "127.0.0.1:1", limit: 1_000 };
  const damaged = ["", "[", "null", "7", JSON.stringify({ ...facts, address: "nowhere" }), "x".repeat(4_000)];
  for (const text of damaged) client.publish("dmabuf.dmabuf.here", text);
  await client.flush();
  assert.match((await warned).message, /by NATS was not taken/);
  const b = await joinHost(t, { servers: [url] });
  await met(a, b);
});

test("what a host has published just before it leaves is heard", WITH_NATS, async (t) => {
  const { url } = await startServer(t);
  const { connect } = await import("@nats-io/transport-node");
  const client = await connect({ servers: url });
  t.after(() => client.close());
  let heard = 0;
  client.subscribe("last", { callback: () => void heard++ });
  await client.flush();
  const { hosts, peers } = await joinHost(t, { servers: [url] });
  assert.ok(peers instanceof HostPeers);
  for (let i = 0; i < 1_000; i++) peers.nats!.publish("last", "x".repeat(500));
  await hosts.close();
  // The server has them: what it sends comes before its next answer.
  await client.flush();
  assert.equal(heard, 1_000);
});

test("a host leaves also while its server is killed, or stopped", WITH_NATS, async (t) => {
  const server = await startServer(t);
  const [a, b] = [await joinHost(t, { servers: [server.url] }), await joinHost(t, { servers: [server.url] })];
  server.stop();
  await a.hosts.close();
  await server.kill();
  await b.hosts.close();
});
