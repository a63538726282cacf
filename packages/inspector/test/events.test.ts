/** What a page hears, by requests of Node's own. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { test } from "node:test";
import type { DomainSnapshot } from "dmabuf/node";
import { changed, type SnapshotChange } from "../src/shared/changes.js";
import type { DomainState } from "../src/shared/messages.js";
import { inspect, newPlace, party } from "./harness.js";

const PATIENT = { timeout: 240_000 };

/** The events of one connection, as they come. */
class Hearing {
  readonly snapshots: DomainSnapshot[] = [];
  readonly states: DomainState[] = [];
  readonly #response: IncomingMessage;
  readonly #parts: AsyncIterator<string>;
  #text = "";

  static async open(url: string): Promise<Hearing> {
    const [response] = (await once(get(url.replace("/?", "/events?")), "response")) as [IncomingMessage];
    return new Hearing(response);
  }

  private constructor(response: IncomingMessage) {
    this.#response = response.setEncoding("utf8");
    this.#parts = this.#response[Symbol.asyncIterator]() as AsyncIterator<string>;
  }

  /** Reads until it is so. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      const part = await this.#parts.next();
      if (part.done === true) throw new Error("The events have ended");
      const events = (this.#text + part.value).split("\n\n");
      this.#text = events.pop() ?? "";
      for (const event of events) this.#hear(event);
    }
  }

  get last(): DomainSnapshot | undefined {
    return this.snapshots.at(-1);
  }

  close(): void {
    this.#response.destroy();
  }

  #hear(text: string): void {
    const [, name, data = ""] = /^event: (\w+)\ndata: (.*)$/.exec(text) ?? [];
    if (name === "state") this.states.push(JSON.parse(data) as DomainState);
    if (name === "first") this.snapshots.push(changed(undefined, JSON.parse(data) as SnapshotChange));
    if (name === "change") this.snapshots.push(changed(this.last, JSON.parse(data) as SnapshotChange));
  }
}

test("a page that comes later gets the time before it, and all pages see the same", PATIENT, async () => {
  const place = newPlace();
  await party("producer", place);
  await party("consumer", place);
  const { url } = await inspect({ where: place });
  const early = await Hearing.open(url);
  await early.until(() => early.snapshots.length >= 15);
  const late = await Hearing.open(url);
  await late.until(() => (late.last?.at ?? 0) > (early.last?.at ?? 0));
  const seen = new Map(late.snapshots.map((snapshot) => [snapshot.at, snapshot]));
  for (const snapshot of early.snapshots) assert.deepEqual(seen.get(snapshot.at), snapshot);
  const [stream] = late.last?.streams ?? [];
  assert.equal(stream?.name, "camera");
  assert.ok((stream?.published ?? 0) > (early.snapshots[0]?.streams[0]?.published ?? 0));
  early.close();
  late.close();
});

test("a page that does not read gets fewer snapshots, and then the newest (page-stream.1)", PATIENT, async () => {
  const place = newPlace();
  await party("churn", place);
  const { url } = await inspect({ where: place });
  const slow = await Hearing.open(url);
  const quick = await Hearing.open(url);
  let bytes = 0;
  // More than the kernel stores of a connection.
  await quick.until(() => {
    bytes = JSON.stringify(quick.last ?? {}).length * quick.snapshots.length;
    return bytes > 32 * 2 ** 20;
  });
  const [from, to] = [slow.snapshots.length, quick.last?.at ?? 0];
  assert.equal(from, 0);
  await slow.until(() => (slow.last?.at ?? 0) > to);
  const missed = quick.snapshots.filter(({ at }) => !slow.snapshots.some((each) => each.at === at));
  assert.ok(missed.length > 0, `all of ${quick.snapshots.length} snapshots were stored for a page that does not read`);
  assert.ok((slow.last?.buffers.length ?? 0) <= 1000);
  slow.close();
  quick.close();
});

test(
  "the end of a domain is told with its last state, and another one at its place is waited for (watch.1)",
  PATIENT,
  async () => {
    const place = newPlace();
    const first = await party("crowd", place, "first");
    const { url } = await inspect({ where: place });
    const page = await Hearing.open(url);
    await page.until(() => page.snapshots.length > 0);
    await first.kill();
    await page.until(() => page.states.at(-1)?.kind === "ended");
    assert.equal(page.last?.buffers.length, 1000);
    assert.deepEqual(
      page.last?.agents.map(({ state }) => state),
      ["dead"],
    );
    const newcomer = await Hearing.open(url);
    await newcomer.until(() => newcomer.snapshots.length > 0);
    assert.equal(newcomer.states[0]?.kind, "ended");

    const { status } = await fetch(url.replace("/?", "/wait?"), { method: "POST" });
    assert.equal(status, 200);
    await page.until(() => page.states.at(-1)?.kind === "waiting");
    await party("crowd", place, "second");
    await page.until(() => page.last?.agents[0]?.name === "second");
    assert.equal(page.states.at(-1)?.kind, "live");
    page.close();
    newcomer.close();
  },
);

test("a process that has ended is not waited for: its number may be another program's (watch.2)", PATIENT, async () => {
  const process = await party("crowd", newPlace());
  const { url } = await inspect({ where: process.pid, wait: true });
  const page = await Hearing.open(url);
  await page.until(() => page.snapshots.length > 0);
  await process.kill();
  await page.until(() => page.states.at(-1)?.kind === "ended");
  assert.equal(page.states.at(-1)?.canWait, false);
  const answer = await fetch(url.replace("/?", "/wait?"), { method: "POST" });
  assert.equal(((await answer.json()) as DomainState).kind, "ended");
  page.close();
});

test("what there is no domain for is refused at once, or waited for if that is asked", PATIENT, async () => {
  const place = newPlace();
  await assert.rejects(inspect({ where: place }), { code: "ECONNREFUSED" });
  await assert.rejects(inspect({ where: 1 }), /process 1/);
  const { url } = await inspect({ where: place, wait: true });
  const page = await Hearing.open(url);
  await page.until(() => page.states.length > 0);
  assert.equal(page.states[0]?.kind, "waiting");
  await party("crowd", place);
  await page.until(() => page.last?.buffers.length === 1000);
  page.close();
});

test("the bytes of a buffer are those that are in it", PATIENT, async () => {
  const place = newPlace();
  await party("producer", place);
  await party("consumer", place);
  const { url } = await inspect({ where: place });
  const page = await Hearing.open(url);
  await page.until(() => (page.last?.streams[0]?.published ?? 0) > 10);
  const [{ inode, size } = { inode: 0, size: 0 }] = page.last?.buffers ?? [];
  page.close();
  const at = (query: string) => fetch(`${url.replace("/?", "/bytes?")}&buffer=${inode}${query}`);
  const all = new Uint8Array(await (await at("")).arrayBuffer());
  assert.equal(all.length, size);
  // Each frame is of one number, and one may be in the middle of being filled.
  assert.ok(new Set(all.subarray(0, 320 * 180 * 4)).size <= 2);
  const part = await at("&offset=16&length=8");
  assert.equal(part.headers.get("content-type"), "application/octet-stream");
  assert.equal((await part.arrayBuffer()).byteLength, 8);
  const { code, message } = (await (await at("000")).json()) as { code: string; message: string };
  assert.equal(code, "ENOENT");
  assert.match(message, /no such buffer|no buffer/);
});
