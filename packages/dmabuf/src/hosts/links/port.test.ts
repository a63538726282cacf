import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { LimitedWarnings } from "../../node/connecting/limited-warnings.js";
import { Random } from "../../../test/random.js";
import { joinHost, met } from "../../../test/joined-hosts.js";
import { parseAddress } from "./address.js";
import { Port } from "./port.js";
import { Tickets } from "./tickets.js";

const LONG = { timeout: 60_000 };

async function open(
  t: TestContext,
): Promise<{ port: Port; tickets: Tickets<(socket: Socket) => void>; warned: string[] }> {
  const tickets = new Tickets<(socket: Socket) => void>();
  const warned: string[] = [];
  const warnings = new LimitedWarnings({ warn: (message) => void warned.push(message), after: () => () => {} });
  const port = await Port.listen("127.0.0.1", 0, {
    redeem: (ticket) => tickets.redeem(ticket),
    greet: async () => {},
    warnings,
    tls: undefined,
  });
  t.after(() => port.close());
  return { port, tickets, warned };
}

function dial(t: TestContext, { address }: { readonly address: string }): Socket {
  const { host, port } = parseAddress(address)!;
  const socket = connect(port, host);
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  return socket;
}

/** All that comes until the end. */
async function answerTo(t: TestContext, at: { readonly address: string }, text: string | Uint8Array): Promise<string> {
  const socket = dial(t, at);
  let all = "";
  socket.on("data", (bytes) => (all += String(bytes)));
  socket.write(text);
  await once(socket, "close");
  return all;
}

test("a ticket lets in once, and what follows the hello is its issuer's port.3 tickets.1", LONG, async (t) => {
  const { port, tickets } = await open(t);
  const came = new Promise<string>((resolve) => {
    const ticket = tickets.issue(
      (socket) => {
        socket.once("data", (bytes) => resolve(String(bytes))).resume();
      },
      port,
      60_000,
    );
    const socket = dial(t, port);
    socket.write(`${JSON.stringify({ dmabuf: 1, ticket })}\nthe first bytes`);
    socket.resume();
  });
  assert.equal(await came, "the first bytes");
});

test(
  "a ticket that is void, old, used or invented is told to be unknown, in the same way port.3 tickets.2 tickets.3",
  LONG,
  async (t) => {
    const { port, tickets, warned } = await open(t);
    const owner = {};
    const serve = (socket: Socket): void => void socket.end();
    const voided = tickets.issue(serve, owner, 60_000);
    const kept = tickets.issue(serve, port, 60_000);
    const old = tickets.issue(serve, port, 1);
    tickets.void(owner);
    const hello = (ticket: string): string => `${JSON.stringify({ dmabuf: 1, ticket })}\n`;
    assert.equal(await answerTo(t, port, hello(kept)), "+");
    await new Promise((resolve) => setTimeout(resolve, 20));
    for (const ticket of [kept, voided, old, "x"]) assert.equal(await answerTo(t, port, hello(ticket)), "-");
    // port.4
    assert.equal(warned.length, 3);
  },
);

test("a hello that is too long, none, or does not come is closed without a word port.1 port.4", LONG, async (t) => {
  const { port } = await open(t);
  const hellos = [
    "\n",
    "GET / HTTP/1.1\r\n",
    "{}\n",
    "[]\n",
    '{"dmabuf":1}\n',
    '{"dmabuf":1,"host":{}}\n',
    "x".repeat(513),
  ];
  for (const text of [...hellos, `${"x".repeat(600)}\n`]) assert.equal(await answerTo(t, port, text), "");
  const start = performance.now();
  assert.equal(await answerTo(t, port, "{"), "");
  assert.ok(performance.now() - start >= 900);
});

test("of too many silent connections the longest goes port.2", LONG, async (t) => {
  const { port } = await open(t);
  const first = dial(t, port);
  await once(first, "connect");
  const end = once(first, "close");
  const start = performance.now();
  const others = Array.from({ length: 64 }, () => dial(t, port));
  first.resume();
  await end;
  // Before its time, which a slow machine may not show.
  if (performance.now() - start < 900) assert.ok(others.some((socket) => !socket.destroyed));
});

test("whatever is said to a host's port hurts no link that there is port.4 handshake.1", LONG, async (t) => {
  const a = await joinHost(t);
  const b = await joinHost(t, { peers: [a.hosts.self.address] });
  const seen = await met(a, b);
  a.peers.serve("echo", { answer: (_peer, body) => body });
  const random = new Random(7);
  const host = {
    id: "11111111-1111-4111-8111-111111111111",
    name: "x",
    incarnation: 1,
    address: "127.0.0.1:1",
    limit: 1_000,
  };
  const good = JSON.stringify({ dmabuf: 1, cluster: "dmabuf", nonce: "AAAA", host });
  for (let i = 0; i < 150; i++) {
    const bytes = Buffer.from(`${good}\n${good}\n`);
    for (let n = random.below(4); n >= 0; n--) bytes[random.below(bytes.length)] = random.below(256);
    const socket = dial(t, a.hosts.self);
    socket.resume();
    socket.end(bytes.subarray(0, random.below(bytes.length)));
    await once(socket, "close");
  }
  assert.equal(await seen.a.ask("echo", "still here"), "still here");
  assert.equal(a.hosts.list().length, 1);
});
