import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { DmaBufError } from "../../errors.js";
import type { HostFacts } from "./facts.js";
import { answer, approach, MOST_HELLO, parseHello, type Approach } from "./handshake.js";
import { readLine } from "./read-line.js";

const LONG = { timeout: 60_000 };

function facts(name: string, digit: string): HostFacts {
  const id = `${digit.repeat(8)}-1111-4111-8111-111111111111`;
  return { id, name, incarnation: 1, address: "127.0.0.1:7400", limit: 1_000 };
}

function terms(name: string, more: Partial<Approach> = {}): Approach {
  const self = facts(name, name);
  return { self, cluster: "dmabuf", secret: "the key of both hosts", decide: () => {}, ...more };
}

/** Both ends of a connection. */
async function pair(t: TestContext): Promise<[Socket, Socket]> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const here = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [there] = (await once(server, "connection")) as [Socket];
  for (const socket of [here, there]) socket.on("error", () => {});
  t.after(() => {
    server.close();
    here.destroy();
    there.destroy();
  });
  return [here, there];
}

/** What each side says of the other, or is refused with. */
async function shake(t: TestContext, a: Approach, b: Approach): Promise<[HostFacts | string, HostFacts | string]> {
  const [here, there] = await pair(t);
  const codeOf = (error: unknown): string => (error as DmaBufError).code;
  const first = approach(here, undefined, a).catch(codeOf);
  const line = await readLine(there, MOST_HELLO, 10_000);
  return Promise.all([first, answer(there, line, parseHello(line), b).catch(codeOf)]);
}

test("hosts that know the key hear who the other one is, and others nothing more handshake.1", LONG, async (t) => {
  const [b, a] = await shake(t, terms("a"), terms("b"));
  assert.deepEqual([a, b], [facts("a", "a"), facts("b", "b")]);
  const stranger = terms("a", { secret: "another key than theirs" });
  // The one that connects finds it first, and proves nothing then.
  assert.deepEqual(await shake(t, stranger, terms("b")), ["EACCES", "ETIMEDOUT"]);
});

test("hosts of another cluster or version are told so handshake.3", LONG, async (t) => {
  assert.deepEqual(await shake(t, terms("a", { cluster: "other" }), terms("b")), ["EACCES", "EACCES"]);
  const [here, there] = await pair(t);
  const hello = JSON.stringify({ dmabuf: 2, cluster: "dmabuf", nonce: "n", host: facts("a", "a") });
  await assert.rejects(answer(there, hello, parseHello(hello), terms("b")), { code: "EPROTO" });
  assert.match(await readLine(here, MOST_HELLO, 10_000), /^\{"code":"EPROTO","message":"Hosts here say version 1/);
});

test("what was proved once, or by the other side, proves nothing handshake.2", LONG, async (t) => {
  // What a listener in the middle has heard.
  const heard: string[] = [];
  const [here, there] = await pair(t);
  const write = here.write.bind(here);
  here.write = (text: string) => {
    heard.push(text);
    return write(text);
  };
  const first = approach(here, undefined, terms("a"));
  const line = await readLine(there, MOST_HELLO, 10_000);
  await Promise.all([first, answer(there, line, parseHello(line), terms("b"))]);
  assert.equal(heard.length, 2);

  const [again, port] = await pair(t);
  const refused = answer(port, line, parseHello(line), terms("b"));
  const said = await readLine(again, MOST_HELLO, 10_000);
  // The proof of then, and the other side's own.
  again.write(heard[1]!);
  await assert.rejects(refused, { code: "EACCES" });
  const [mirror, other] = await pair(t);
  const mirrored = answer(other, line, parseHello(line), terms("b"));
  mirror.write(`${(await readLine(mirror, MOST_HELLO, 10_000)).split(" ")[0]}\n`);
  await assert.rejects(mirrored, { code: "EACCES" });
  assert.notEqual(said, "");
});

test(
  "a side that refuses the other one says why, with its proof: without one it changes nothing handshake.4",
  LONG,
  async (t) => {
    const stale = (): never => {
      throw new DmaBufError("ESTALE", "of the past");
    };
    assert.deepEqual(await shake(t, terms("a", { decide: stale }), terms("b")), ["ESTALE", "ESTALE"]);
    assert.deepEqual(await shake(t, terms("a"), terms("b", { decide: stale })), ["ESTALE", "ESTALE"]);
    const [here, there] = await pair(t);
    const line = JSON.stringify({ dmabuf: 1, cluster: "dmabuf", nonce: "n", host: facts("a", "a") });
    const answered = answer(there, line, parseHello(line), terms("b"));
    await readLine(here, MOST_HELLO, 10_000);
    here.write('invented {"code":"ESTALE","message":"without the key"}\n');
    await assert.rejects(answered, { code: "EACCES" });
  },
);
