/** What processes can do that may not join, or that listen in place of another: nothing. */
import assert from "node:assert/strict";
import { fork, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getuid } from "node:process";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { rawFormat } from "../../src/index.js";
import { ProcessDomain, StreamContributor, StreamViewer } from "../../src/node/index.js";
import { closeDescriptor, createSocket, setTakesDescriptors } from "../../src/node/system-calls/index.js";
import { pause, until } from "../agents.js";
import { ONCE } from "../once.js";
import { takeDescriptorsAgain } from "../strangers.js";
import type { StrangerReport } from "./stranger.js";

const LIMITED = { ...ONCE, timeout: 60_000 };
const NOBODY = 65534;
const AS_ROOT = getuid?.() === 0 ? LIMITED : { ...LIMITED, skip: "only root can start a process of another user" };

/** Reports that have come and were not looked at. */
class Stranger {
  readonly child: ChildProcess;
  readonly #reports: string[] = [];

  constructor(t: TestContext, args: readonly string[], uid = NOBODY) {
    const script = fileURLToPath(new URL("stranger.js", import.meta.url));
    this.child = fork(script, args, uid === getuid?.() ? {} : { uid, gid: uid });
    this.child.on("message", ({ outcome }: StrangerReport) => this.#reports.push(outcome));
    t.after(() => this.child.kill("SIGKILL"));
  }

  async report(): Promise<string> {
    await until(() => this.#reports.length > 0);
    return this.#reports.shift()!;
  }

  get hasReported(): boolean {
    return this.#reports.length > 0;
  }

  /** Ends it, and the blocking of what it has sent. @returns Its status: 1 if this came too late. */
  async end(): Promise<unknown> {
    const exit = once(this.child, "exit");
    this.child.send("end");
    return (await exit)[0];
  }
}

/** A folder that every user may write to. */
function openFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "dmabuf-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  chmodSync(folder, 0o777);
  return folder;
}

/** One place of each kind that another user can reach; a show, too. */
function places(t: TestContext): Record<string, string> {
  const folder = openFolder(t);
  const names = {
    "an abstract name": `@dmabuf strangers ${randomUUID()}`,
    "a path for others, too": join(folder, "socket"),
    "a show": `@dmabuf strangers ${randomUUID()}`,
  };
  const domain = ProcessDomain.listen(names["an abstract name"], { users: [1], agents: 4 });
  t.after(() => domain.close());
  domain.listen(names["a path for others, too"]);
  domain.serveViewers(names["a show"], domain.createStream({ name: "shown", format: rawFormat(64), buffers: 2 }));
  return names;
}

function ownDescriptors(): number[] {
  return readdirSync("/proc/self/fd").map(Number);
}

function knowsSetting(): boolean {
  const socket = createSocket();
  const knows = setTakesDescriptors(socket, true);
  closeDescriptor(socket);
  return knows;
}

for (const [kernel, prepare] of [
  ["this kernel", () => {}],
  ["a kernel before Linux 6.16", () => takeDescriptorsAgain(ownDescriptors())],
] as const) {
  test(
    `acceptor.3: on ${kernel} what a stranger sends holds up no thread, however long its close takes`,
    AS_ROOT,
    async (t) => {
      t.mock.method(process, "emitWarning", () => {});
      for (const [kind, place] of Object.entries(places(t))) {
        prepare();
        const before = ownDescriptors().length;
        const stranger = new Stranger(t, ["send", place]);
        assert.equal(await stranger.report(), kernel === "this kernel" && knowsSetting() ? "EPERM" : "sent", kind);
        // The refusal and the close come within these turns of the event loop, if it turns.
        await pause(300);
        assert.equal(
          await stranger.end(),
          0,
          `${kind}: the event loop was blocked for as long as the stranger had asked for`,
        );
        await until(() => ownDescriptors().length <= before);
      }
    },
  );

  test(
    `listening-socket.5: on ${kernel} a socket that closes is held up by no process that waits there`,
    AS_ROOT,
    async (t) => {
      const place = `@dmabuf strangers ${randomUUID()}`;
      const domain = ProcessDomain.listen(place, { agents: 2 });
      prepare();
      const file = join(openFolder(t), "sent");
      const stranger = new Stranger(t, ["send", place, file]);
      // This thread does not come to its event loop before the stranger has sent: no agent accepts it.
      while (!existsSync(file));
      domain.close();
      assert.equal(await stranger.end(), 0);
    },
  );
}

test(
  "json-lines.2: what a listener of this user's sends unasked holds up no process that joins or views (json-lines.3)",
  LIMITED,
  async (t) => {
    // The poller, which a contributor needs, keeps its descriptors.
    {
      const own = `@dmabuf strangers ${randomUUID()}`;
      using domain = ProcessDomain.create();
      using _server = domain.serveContributors(own, domain.createStream({ format: rawFormat(64) }));
      (await StreamContributor.connect(own)).close();
    }
    const comers = {
      '{"left":-1}\n': (place: string) => ProcessDomain.connect(place, { timeout: 2_000 }),
      '{"left":0}\n': (place: string) => ProcessDomain.connect(place, { timeout: 2_000 }),
      '{"left":1}\n': (place: string) => ProcessDomain.connect(place, { timeout: 2_000 }),
      '{"visitor":1}\n': (place: string) => StreamViewer.connect(place, { timeout: 2_000 }),
      [`${JSON.stringify({ visitor: 1, name: "shown", format: rawFormat(64), buffers: 1, bytes: 4096, policy: "newest" })}\n`]:
        (place: string) => StreamViewer.connect(place, { timeout: 2_000 }),
      '{"visitor":2}\n': (place: string) => StreamContributor.connect(place, { timeout: 2_000 }),
    };
    for (const [words, come] of Object.entries(comers)) {
      const place = `@dmabuf strangers ${randomUUID()}`;
      const listener = new Stranger(t, ["listen", place, words], getuid!());
      assert.equal(await listener.report(), "listens");
      const before = ownDescriptors().length;
      await assert.rejects(come(place), (error: { code: string }) => ["EPROTO", "ETIMEDOUT"].includes(error.code));
      assert.equal(await listener.report(), "sent");
      await pause(50);
      assert.equal(await listener.end(), 0, `after ${words}`);
      await until(() => ownDescriptors().length <= before);
    }
  },
);

test(
  "listening-socket.5: who connects or visits says nothing to another user, and names him, unless he is among users",
  AS_ROOT,
  async (t) => {
    const ways = [
      (place: string, options: object) => ProcessDomain.connect(place, options),
      (place: string, options: object) => StreamViewer.connect(place, options),
      (place: string, options: object) => StreamContributor.connect(place, options),
    ];
    for (const come of ways) {
      const place = `@dmabuf strangers ${randomUUID()}`;
      const squatter = new Stranger(t, ["squat", place]);
      assert.equal(await squatter.report(), "listens");
      await assert.rejects(come(place, { timeout: 10_000 }), { code: "EACCES", message: /user 65534/ });
      assert.equal(await squatter.report(), "heard ", "the connection ended, and nothing was said");
      await squatter.end();
      const other = new Stranger(t, ["squat", place]);
      assert.equal(await other.report(), "listens");
      await assert.rejects(come(place, { users: [NOBODY], timeout: 1_000 }), { code: "ETIMEDOUT" });
      assert.match(await other.report(), /^heard \{"(layout|visitor)":/);
      await other.end();
    }
  },
);

test("acceptor.4: of many who may not come in a few are warned of, and all are counted", AS_ROOT, async (t) => {
  const { mock } = t.mock.method(process, "emitWarning", () => {});
  const place = `@dmabuf strangers ${randomUUID()}`;
  const domain = ProcessDomain.listen(place, { agents: 2 });
  const stranger = new Stranger(t, ["knock", place, "100"]);
  assert.equal(await stranger.report(), "knocked");
  await stranger.end();
  // All have been accepted when a process that came after them joins.
  (await ProcessDomain.connect(place)).close();
  domain.close();
  const texts = mock.calls.map((call) => String((call as { arguments: unknown[] }).arguments[0]));
  assert.equal(texts.length, 4, texts.join("\n"));
  assert.match(texts[3]!, /^dmabuf: 97 more|^97 more/);
});
