/** `connectWorker()` and `joinFromPage()`: all the ways in which a worker comes into a domain, or does not, and ends. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Domain, rawFormat } from "../../../src/index.js";
import { Domain as SmallDomain } from "../../../src/streams.js";
import { connectWorker, type ConnectWorkerOptions } from "../../../src/web/index.js";
import { until } from "../../agents.js";
import type { Task } from "./threads/web-joiner.js";

const PATIENT = { timeout: 30_000 };
const JOINER = new URL("./threads/web-joiner.js", import.meta.url);

/** With room for one agent besides this one: what leaves its place behind leaves none. */
function createDomain(): Domain {
  return Domain.create({ agents: 2, buffers: 8, timelines: 4, oneShots: 8, streams: 2 });
}

const start = (url: URL | string = JOINER): Worker => new Worker(url, { type: "module" });

/** A worker of this script. */
function scripted(script: string): Worker {
  return start(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
}

function task(data: Task, options: Omit<ConnectWorkerOptions, "data"> = {}): ConnectWorkerOptions {
  return { name: "joiner", data, ...options };
}

/** Holds if an agent still finds a place. */
async function hasPlace(domain: Domain): Promise<void> {
  await until(() => domain.agents.length === 1);
  const link = await connectWorker(domain, start(), task({ then: "wait" }));
  assert.deepEqual(domain.agents, ["main", "joiner"]);
  await link.terminate();
  assert.deepEqual(domain.agents, ["main"]);
}

test("a worker has joined when its link resolves, and its end is noticed", PATIENT, async () => {
  using domain = createDomain();
  const worker = start();
  const link = await connectWorker(domain, worker, task({ then: "wait" }));
  assert.deepEqual([domain.agents, link.name, link.worker === worker], [["main", "joiner"], "joiner", true]);
  await link.terminate();
  await link.ended;
  await link.terminate();
  await hasPlace(domain);
});

test("a worker with dmabuf joins a domain of dmabuf/streams", PATIENT, async () => {
  using domain = SmallDomain.create();
  const link = await connectWorker(domain, start(), task({ then: "wait" }));
  assert.equal(domain.agents.length, 2);
  await link.terminate();
});

test("what a worker held is given back when terminate() resolves", PATIENT, async () => {
  using domain = createDomain();
  const stream = domain.createStream({ format: rawFormat(8), buffers: 1 });
  const connecting = connectWorker(domain, start(), task({ then: "take", stream: stream.handle() }));
  await stream.waitForConsumers(1);
  stream.tryLoan()!.publish();
  const link = await connecting;
  await assert.rejects(stream.loan({ timeout: 50 }), { code: "ETIMEDOUT" });
  await link.terminate();
  assert.notEqual(stream.tryLoan(), undefined);
});

test(
  "the program's own messages pass, before and after, and the invitation is none of them (introduction.1)",
  PATIENT,
  async () => {
    using domain = createDomain();
    const worker = start();
    const { port1, port2 } = new MessageChannel();
    const echo = (): Promise<unknown> => new Promise((resolve) => (port1.onmessage = ({ data }) => resolve(data)));
    const [first, seen] = [echo(), [] as unknown[]];
    worker.onmessage = ({ data }) => seen.push(data);
    worker.postMessage("before");
    const link = await connectWorker(domain, worker, task({ then: "echo", port: port2 }, { transfer: [port2] }));
    assert.deepEqual(await first, ["before"]);
    const second = echo();
    worker.postMessage({ dmabuf: "of the program's own" });
    assert.deepEqual(await second, ["before", { dmabuf: "of the program's own" }]);
    assert.deepEqual(seen, ["joined"]);
    port1.close();
    await link.terminate();
  },
);

describe("a worker that does not come so far rejects, and leaves its place (introduction.2):", () => {
  const broken: [what: string, make: () => Worker, code: string, message: RegExp][] = [
    ["no such script", () => start(new URL("./absent.js", import.meta.url)), "EIO", /did not load/],
    ["a script that imports none", () => scripted('import "/dist/absent.js";'), "EIO", /did not load/],
    ["a script that is none", () => scripted("}"), "EIO", /SyntaxError|did not load/],
    ["an error at its top", () => scripted('throw new Error("at the top");'), "EIO", /at the top/],
    ["a rejection at its top", () => scripted('await Promise.reject(new Error("at the top"));'), "EIO", /at the top/],
    ["a limit", () => scripted(""), "ETIMEDOUT", /"lost": it has not joined in 500 ms/],
    ["a message that cannot be read", unreadable, "EIO", /cannot be read/],
  ];
  for (const [what, make, code, message] of broken) {
    test(what, PATIENT, async () => {
      using domain = createDomain();
      const worker = make();
      await assert.rejects(connectWorker(domain, worker, { name: "lost", limit: 500 }), { code, message });
      worker.terminate();
      await hasPlace(domain);
    });
  }

  test("data that cannot be posted", PATIENT, async () => {
    using domain = createDomain();
    const worker = start();
    await assert.rejects(connectWorker(domain, worker, { data: () => {} }), { name: "DataCloneError" });
    worker.terminate();
    await hasPlace(domain);
  });

  test("what Domain.join() throws there", PATIENT, async () => {
    using domain = createDomain();
    const small = new URL("./threads/web-small-joiner.js", import.meta.url);
    const worker = start(small);
    await assert.rejects(connectWorker(domain, worker), { code: "EPROTO", message: /has the feature/ });
    worker.terminate();
    await hasPlace(domain);
  });
});

/** No message of a worker to its page is ever unreadable; this is what the browser would tell. */
function unreadable(): Worker {
  const worker = scripted("");
  setTimeout(() => worker.dispatchEvent(new MessageEvent("messageerror")));
  return worker;
}

describe("a worker that has joined", () => {
  for (const then of ["throw", "reject", "throw-at-once"] as const) {
    // WebKit does not tell of the last one: see facts.ts.
    test(
      `is terminated when it ends with ${then}`,
      then === "throw-at-once" ? { timeout: 15_000 } : PATIENT,
      async () => {
        using domain = createDomain();
        const worker = start();
        worker.onerror = (event) => event.preventDefault();
        const link = await connectWorker(domain, worker, task({ then }));
        await link.ended;
        await hasPlace(domain);
      },
    );
  }

  test("goes on after an uncaught error, if the page wants it", PATIENT, async () => {
    using domain = createDomain();
    const worker = start();
    const failed = new Promise<ErrorEvent>((resolve) => (worker.onerror = resolve));
    worker.addEventListener("error", (event) => event.preventDefault());
    const link = await connectWorker(domain, worker, task({ then: "throw" }, { onUncaught: "keep" }));
    const event = await failed;
    assert.match(event.message, /thrown later/);
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.deepEqual(domain.agents, ["main", "joiner"]);
    await link.terminate();
  });

  for (const then of ["leave", "close", "compute"] as const) {
    test(`has ended when it does: ${then}`, PATIENT, async () => {
      using domain = createDomain();
      const link = await connectWorker(domain, start(), task({ then }));
      if (then === "compute") link.worker.terminate();
      await link.ended;
      await hasPlace(domain);
      if (then === "leave") link.worker.terminate();
    });
  }

  test("has a place that the next one gets at once, when terminate() has resolved", PATIENT, async () => {
    using domain = createDomain();
    for (let i = 0; i < 5; i++) await (await connectWorker(domain, start(), task({ then: "wait" }))).terminate();
  });

  test("has ended for a page that leaves the domain", PATIENT, async () => {
    const domain = createDomain();
    const link = await connectWorker(domain, start(), task({ then: "wait" }));
    domain.close();
    await link.ended;
    link.worker.terminate();
  });
});

test("a page that leaves the domain before the worker has joined is told so", PATIENT, async () => {
  const domain = createDomain();
  const worker = scripted("");
  const connecting = connectWorker(domain, worker);
  domain.close();
  await assert.rejects(connecting, { code: "ECANCELED", message: /"worker": this thread has left the domain/ });
  worker.terminate();
});

test("a wrong argument is named before anything is invited", PATIENT, async () => {
  using domain = createDomain();
  const worker = scripted("");
  const wrong: [unknown, unknown, unknown, RegExp][] = [
    [{}, worker, {}, /connectWorker\(\): domain must be a DomainBase/],
    [domain, {}, {}, /connectWorker\(\): worker must be a Worker/],
    [domain, worker, { onUncaught: "restart" }, /option "onUncaught" must be "terminate" or "keep"/],
    [domain, worker, { limit: -1 }, /option "limit" must be from 0/],
    [domain, worker, { transfer: [1] }, /option "transfer" must be an array of objects/],
  ];
  for (const [first, second, options, message] of wrong) {
    await assert.rejects(connectWorker(first as Domain, second as Worker, options as object), { message });
  }
  worker.terminate();
  await hasPlace(domain);
});
