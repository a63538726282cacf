import assert from "node:assert/strict";
import { once } from "node:events";
import { Socket } from "node:net";
import { test } from "node:test";
import { joinHost, met, twoHosts } from "../../../test/joined-hosts.js";
import { ProcessDomain } from "../../node/index.js";
import { AgentCalls } from "../calls.js";
import type { HostsView, OtherHost } from "../hosts-info.js";
import { Hosts } from "../index.js";
import { AgentConnection } from "./agent-connection.js";
import { AgentDoor } from "./agent-door.js";
import { KnownUsers } from "../../node/connecting/known-users.js";
import { connectTo } from "../../node/connecting/listening-socket.js";
import { processHost } from "../../node/host.js";

const LONG = { timeout: 60_000 };

test("any member of the domain sees the hosts that its agent sees, until the agent is gone", LONG, async (t) => {
  const { a, b } = await twoHosts(t);
  const hosts = await Hosts.connect(b.domain);
  t.after(() => hosts.close());
  assert.deepEqual(hosts.self, b.hosts.self);
  const [seen] = hosts.list();
  assert.equal(seen?.id, a.hosts.self.id);
  const c = await joinHost(t, { name: "c", peers: [b.hosts.self.address] });
  await met(b, c);
  const third = await new Promise<OtherHost>((resolve) => {
    hosts.onHost((host) => host.name === "c" && resolve(host));
  });
  const end = once(third.lost, "abort");
  await c.hosts.close();
  await end;
  assert.equal((third.lost.reason as { code: string }).code, "ESRCH");
  const gone = once(seen.lost, "abort");
  await b.hosts.close();
  await gone;
  assert.deepEqual(hosts.list(), []);
});

test("a domain without an agent says how to start one, and a second agent is refused agent-door.1", LONG, async (t) => {
  using alone = ProcessDomain.create();
  await assert.rejects(Hosts.connect(alone), { code: "ENOENT", message: /Hosts\.join\(\)/ });
  const a = await joinHost(t);
  await assert.rejects(Hosts.join(a.domain, { bind: "127.0.0.1", key: "another key than that" }), {
    code: "EADDRINUSE",
  });
});

function door(t: { after(end: () => void): void }): { readonly calls: AgentCalls; readonly place: string } {
  const calls = new AgentCalls();
  const place = `trial ${process.pid} ${++places}`;
  const self = { id: "1", name: "here", incarnation: 1, address: "127.0.0.1:1" };
  const view: HostsView = { self, others: [], onHost: () => () => {}, close: () => {} };
  const made = new AgentDoor(place, view, calls, [], processHost());
  t.after(() => made.close());
  return { calls, place };
}

let places = 0;
const SOON = { end: Infinity };

test("a call that is given up, or left behind, is told to what does it agent-door.3", LONG, async (t) => {
  const { calls, place } = door(t);
  const connection = await AgentConnection.open(place, [], SOON);
  const ends: string[] = [];
  let ended = (): void => {};
  let begun = (): void => {};
  calls.serve("wait", (_body, signal) => {
    begun();
    return new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => {
        ends.push((signal.reason as { code: string }).code);
        reject(signal.reason as Error);
        ended();
      });
    });
  });
  calls.serve("echo", (body) => body);
  const giveUp = new AbortController();
  const first = connection.call("wait", null, giveUp.signal);
  assert.equal(await connection.call("echo", 1), 1);
  let done = new Promise<void>((resolve) => (ended = resolve));
  giveUp.abort(new Error("no more"));
  await assert.rejects(first, /no more/);
  await done;
  const began = new Promise<void>((resolve) => (begun = resolve));
  done = new Promise<void>((resolve) => (ended = resolve));
  const second = connection.call("wait", null);
  await began;
  connection.close();
  await assert.rejects(second, { code: "ECANCELED" });
  await done;
  assert.deepEqual(ends, ["ECANCELED", "ESRCH"]);
});

test(
  "one call too many of a process is refused, and what it fails with comes as it is agent-door.4",
  LONG,
  async (t) => {
    const { calls, place } = door(t);
    const connection = await AgentConnection.open(place, [], SOON);
    t.after(() => connection.close());
    let free = (): void => {};
    const until = new Promise<null>((resolve) => (free = () => resolve(null)));
    calls.serve("wait", () => until);
    const waits = Array.from({ length: 256 }, () => connection.call("wait", null));
    await assert.rejects(connection.call("wait", null), { code: "EBUSY" });
    free();
    await Promise.all(waits);
    await assert.rejects(connection.call("none", null), { code: "ENOSYS" });
  },
);

test("what is no line of a member ends its connection alone agent-door.2", LONG, async (t) => {
  const { calls, place } = door(t);
  calls.serve("echo", (body) => body);
  const connection = await AgentConnection.open(place, [], SOON);
  t.after(() => connection.close());
  const knock = '{"hosts":1}\n';
  for (const text of ["nonsense\n", '{"hosts":2}\n', `${knock}[]\n`, `${knock}{"call":"x"}\n`, `${knock}null\n`]) {
    const where = `@dmabuf-hosts ${place}`;
    const socket = new Socket({ fd: connectTo({ where, users: new KnownUsers(), action: "Cannot try" }) });
    socket.on("error", () => {});
    socket.resume();
    socket.write(text);
    await once(socket, "close");
  }
  assert.equal(await connection.call("echo", 2), 2);
});
