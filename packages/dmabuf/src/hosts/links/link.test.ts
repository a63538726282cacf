import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { Random } from "../../../test/random.js";
import type { JsonValue } from "../../stream/metadata.js";
import { Link, type LinkHandlers } from "./link.js";

const LONG = { timeout: 60_000 };

interface Made {
  readonly link: Link;
  /** The other end, by hand. */
  readonly other: Socket;
  readonly lost: Link[];
  readonly heard: JsonValue[];
}

async function make(t: TestContext, more: Partial<LinkHandlers> = {}): Promise<Made> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const other = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [socket] = (await once(server, "connection")) as [Socket];
  const lost: Link[] = [];
  const heard: JsonValue[] = [];
  const id = "11111111-1111-4111-8111-111111111111";
  const link = new Link(
    socket,
    { id, name: "b", incarnation: 1, address: "127.0.0.1:1", limit: 1_000 },
    {
      answer: async (_peer, _service, body) => Promise.resolve(body),
      hear: (_peer, _service, body) => void heard.push(body),
      heard: () => true,
      lost: (peer) => void lost.push(peer),
      ...more,
    },
  );
  for (const one of [socket, other]) one.on("error", () => {});
  link.begin();
  t.after(() => {
    server.close();
    socket.destroy();
    other.destroy();
  });
  return { link, other, lost, heard };
}

async function end({ lost }: Link): Promise<string> {
  if (!lost.aborted) await once(lost, "abort");
  return String(lost.reason);
}

/** The next lines that come, each as what it says. */
function lines(socket: Socket, count: number): Promise<Record<string, JsonValue>[]> {
  return new Promise((resolve) => {
    let text = "";
    socket.setEncoding("utf8").on("data", (more: string) => {
      const all = (text += more).split("\n");
      if (all.length > count) resolve(all.slice(0, count).map((line) => JSON.parse(line) as Record<string, JsonValue>));
    });
  });
}

test("a line that is too long, or none, loses the host that says it link.1", LONG, async (t) => {
  const bad = [
    "nonsense\n",
    "null\n",
    "[]\n",
    '{"ask":1}\n',
    '{"ask":"1","to":"x"}\n',
    "x".repeat(65_537),
    `"${"x".repeat(65_540)}"\n`,
  ];
  for (const text of bad) {
    const { link, other, lost } = await make(t);
    other.write(text);
    assert.match(await end(link), /ESRCH: .*cannot be understood/);
    assert.equal(lost.length, 1);
  }
  const { link } = await make(t);
  await assert.rejects(link.ask("x", "y".repeat(65_600)), { code: "EMSGSIZE" });
  assert.equal(link.lost.aborted, false);
});

test("a question ends once: by its answer, its limit, its signal, or the loss of the link link.2", LONG, async (t) => {
  const { link, other } = await make(t);
  const limited = link.ask("x", 1, { timeout: 10 });
  await assert.rejects(limited, { code: "ETIMEDOUT" });
  await assert.rejects(link.ask("x", 2, { signal: AbortSignal.abort(new Error("no more")) }), /no more/);
  const third = link.ask("x", 3);
  const fourth = link.ask("x", 4);
  // Those of the past, and of none; then the error, twice.
  other.write('{"answer":1,"body":"late"}\n{"answer":99}\n{"answer":2,"error":{"code":"EIO","message":"m"}}\n');
  other.write('{"answer":2,"body":"again"}\n');
  await assert.rejects(third, { code: "EIO", message: 'EIO: host "b" says: m' });
  other.destroy();
  await assert.rejects(fourth, { code: "ESRCH" });
  await assert.rejects(link.ask("x", 5), { code: "ESRCH" });
});

test("a link is lost once, and hears nothing more link.3", LONG, async (t) => {
  const { link, other, lost, heard } = await make(t);
  other.write(
    '{"tell":true,"to":"x","body":1}\n{"bye":{"code":"ESRCH","message":"it ends"}}\n{"tell":true,"to":"x","body":2}\n',
  );
  assert.match(await end(link), /has left: .*it ends/);
  link.lose(link.lost.reason as never);
  link.tell("x", 1);
  link.beat();
  assert.deepEqual(heard, [1]);
  assert.deepEqual(lost, [link]);
});

test("too many questions at once are refused, one by one link.4", LONG, async (t) => {
  let free = (): void => {};
  const until = new Promise<null>((resolve) => (free = () => resolve(null)));
  const { other } = await make(t, { answer: () => until });
  const said = lines(other, 2);
  const asks = Array.from({ length: 8_194 }, (_, i) => `{"ask":${i},"to":"x"}\n`).join("");
  other.write(asks);
  for (const { error } of await said) assert.equal((error as { code: string }).code, "EBUSY");
  free();
});

test("random damage loses a link, or is answered: nothing else comes of it link.1 link.2", LONG, async (t) => {
  const random = new Random(3);
  const good = '{"ask":1,"to":"x","body":[1]}\n{"tell":true,"to":"x"}\n{"answer":7,"error":{"code":"EIO"}}\n{}\n';
  for (let i = 0; i < 100; i++) {
    const { other } = await make(t, {
      answer: () => {
        throw new TypeError("of the service");
      },
    });
    const bytes = Buffer.from(good);
    for (let n = random.below(3); n >= 0; n--) bytes[random.below(bytes.length)] = random.below(256);
    other.resume();
    other.end(bytes);
    await once(other, "close");
  }
});
