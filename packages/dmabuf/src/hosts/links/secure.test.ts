import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { test } from "node:test";
import type { TLSSocket } from "node:tls";
import { joinHost, met, peerOf, twoHosts } from "../../../test/joined-hosts.js";
import { startServer, WITH_NATS } from "../../../test/nats-server.js";
import { parseAddress } from "./address.js";

const LONG = { timeout: 60_000 };
const SAID = "what is said between hosts";

test(
  "nothing that hosts say or send can be read between them, and bytes go where they belong secure.1",
  LONG,
  async (t) => {
    const a = await joinHost(t, { tls: true });
    const { host, port } = parseAddress(a.hosts.self.address)!;
    let seen = "";
    const between = createServer((from) => {
      const onward = connect(port, host);
      for (const [one, other] of [
        [from, onward],
        [onward, from],
      ] as const) {
        one.on("error", () => other.destroy()).on("close", () => other.destroy());
        one.on("data", (bytes) => {
          seen += String(bytes);
          other.write(bytes);
        });
      }
    }).listen(0, "127.0.0.1");
    await once(between, "listening");
    t.after(() => between.close());
    const where = `127.0.0.1:${(between.address() as AddressInfo).port}`;
    const b = await joinHost(t, { tls: true, peers: [where] });
    const peers = await met(a, b);
    a.peers.serve("echo", { answer: (_peer, body) => body });
    assert.equal(await peers.a.ask("echo", SAID), SAID);
    const bytes = new Uint8Array(200_000);
    let count = 0;
    const ticket = a.peers.issue(peers.b, (socket) => socket.end(Buffer.alloc(150_000, SAID)));
    const socket = await peers.a.open(ticket, {
      buffer: () => bytes.subarray(count),
      callback(more) {
        count += more;
        return true;
      },
    });
    await once(socket, "close");
    assert.deepEqual(Buffer.from(bytes.subarray(0, count)), Buffer.alloc(150_000, SAID));
    assert.ok(seen.length > 500);
    assert.ok(!seen.includes(SAID.slice(0, 10)) && !seen.includes("127.0.0.1"));
  },
);

test("an ordinary data connection has its bytes in both directions secure.1", LONG, async (t) => {
  const { a, seen } = await twoHosts(t, { tls: true });
  const socket = await seen.a.open(a.peers.issue(seen.b, (other: Socket) => other.pipe(other)));
  socket.end(SAID);
  let back = "";
  for await (const more of socket) back += String(more);
  assert.equal(back, SAID);
});

test("hosts with and without TLS, and of another key, do not meet, and say why secure.1", LONG, async (t) => {
  const a = await joinHost(t, { tls: true });
  const warned: string[] = [];
  const hear = ({ message }: Error): void => void warned.push(message);
  process.on("warning", hear);
  t.after(() => process.off("warning", hear));
  const plain = await joinHost(t, { peers: [a.hosts.self.address] });
  const other = await joinHost(t, { tls: true, key: "another key than theirs", peers: [a.hosts.self.address] });
  const friend = await joinHost(t, { tls: true, peers: [a.hosts.self.address] });
  await peerOf(friend.peers, a.hosts.self.id);
  while (!warned.some((text) => /by TLS.*the same key/.test(text))) await once(process, "warning");
  assert.deepEqual([plain.hosts.list(), other.hosts.list(), a.hosts.list().length], [[], [], 1]);
});

test(
  "hosts that find each other by NATS need no key, and their secrets are not announced secure.2",
  WITH_NATS,
  async (t) => {
    const { url } = await startServer(t);
    const { connect: join } = await import("@nats-io/transport-node");
    const client = await join({ servers: url });
    t.after(() => client.close());
    let announced = "";
    client.subscribe("dmabuf.dmabuf.here", { callback: (_error, message) => void (announced += message.string()) });
    await client.flush();
    const a = await joinHost(t, { tls: true, servers: [url] });
    const b = await joinHost(t, { tls: true, servers: [url] });
    const seen = await met(a, b);
    b.peers.serve("echo", { answer: (_peer, body) => body });
    assert.equal(await seen.b.ask("echo", SAID), SAID);
    assert.ok(announced.includes(a.hosts.self.id));
    assert.ok(!announced.includes("secret"));
  },
);

test("each connection has keys of its own, whatever is learned later secure.3", LONG, async (t) => {
  const { a, seen } = await twoHosts(t, { tls: true });
  const ciphers: string[] = [];
  const ticket = a.peers.issue(seen.b, (socket) => {
    ciphers.push((socket as TLSSocket).getCipher().name);
    socket.end();
  });
  (await seen.a.open(ticket)).destroy();
  // Keys are agreed upon by ECDHE.
  assert.match(ciphers[0]!, /^ECDHE-PSK-/);
});
