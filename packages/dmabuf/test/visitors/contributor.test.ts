import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { imageFormat } from "../../src/index.js";
import { codeOf } from "../../src/errors.js";
import { ProcessDomain, StreamContributor } from "../../src/node/index.js";
import { endOf } from "../../src/stream/frame-stream.js";
import { isPending, until } from "../agents.js";
import { fill, Visitor, type Line } from "./visitors.js";

const LIMITED = { timeout: 120_000 };

test("what a contributor writes is the frame, with all that travels with it", LIMITED, async (t) => {
  const domain = ProcessDomain.create();
  t.after(() => domain.close());
  const stream = domain.createStream({ name: "shown", format: imageFormat("NV12", 64, 48) });
  const place = `@dmabuf test contributor ${process.pid}`;
  domain.serveContributors(place, stream);
  using consumer = stream.frames();
  using contributor = await StreamContributor.connect(place, { name: "me" });
  assert.deepEqual([contributor.name, contributor.format, contributor.dataBytes], ["shown", stream.format, 1024]);
  const picture = { rotation: 90, colorSpace: { matrix: "bt709", fullRange: null } } as const;
  for (let i = 0; i < 40; i++) {
    using loan = (await contributor.loan())!;
    loan.planes[0].bytes.fill(i);
    loan.planes[1]!.bytes.fill(100 + i);
    assert.equal(await loan.publish({ timestamp: 40 * i, data: { i }, picture }), i);
    using frame = (await consumer.next())!;
    assert.deepEqual([frame.sequence, frame.timestamp, frame.data, frame.picture], [i, 40 * i, { i }, picture]);
    assert.ok(frame.planes[0].bytes.every((byte) => byte === i));
    assert.ok(frame.planes[1]!.bytes.every((byte) => byte === 100 + i));
  }
});

test(
  "a loan that was published or closed is over, its views change nothing, and its memory is not mapped (memory-mapping.6)",
  LIMITED,
  async (t) => {
    const { stream, place, server } = fill(t);
    using consumer = stream.frames();
    using contributor = await StreamContributor.connect(place);
    for (const end of ["publish", "close"] as const) {
      const loan = (await contributor.loan())!;
      const kept = loan.bytes;
      kept.fill(1);
      if (end === "close") loan.close();
      else {
        await loan.publish();
        if (kept.length > 0) kept.fill(2);
        using frame = (await consumer.next())!;
        assert.ok(frame.bytes.every((byte) => byte === 1));
      }
      assert.throws(() => loan.bytes, { code: "EBADF" });
      await assert.rejects(loan.publish(), { code: "EBADF" });
    }
    await until(() => server.withheld === 0);
  },
);

test(
  "what is wrong with a frame is an error, and the loan stays where the contributor can see it (contributor-server.5)",
  LIMITED,
  async (t) => {
    const { place, stream } = fill(t);
    using contributor = await StreamContributor.connect(place);
    using loan = (await contributor.loan())!;
    await assert.rejects(loan.publish({ length: 1001 }), RangeError);
    await assert.rejects(loan.publish({ data: "x".repeat(2000) }), { code: "EOVERFLOW" });
    assert.equal(await loan.publish({ length: 3 }), 0);
    contributor.close();
    const visitor = new Visitor(t);
    await visitor.contribute(place);
    const wrong = [
      { length: 1001 },
      { timestamp: "now" },
      { data: "x".repeat(2000) },
      { picture: {} },
      { length: null },
    ];
    for (const words of wrong) {
      await visitor.take();
      await visitor.letGo();
      await visitor.say({ publish: words });
      const code = "data" in words ? "EOVERFLOW" : "EINVAL";
      assert.equal((await visitor.hear())!.refused!.code, code);
    }
    // The number is the stream's own.
    await visitor.take();
    await visitor.letGo();
    await visitor.say({ publish: { sequence: 77, missed: 5 } });
    assert.deepEqual(await visitor.hear(), { published: 1 });
    assert.equal(stream.published, 2);
  },
);

for (const moment of ["with a blank", "with a blank that it has unmapped", "while it asks for one"] as const) {
  test(
    `a contributor that is killed ${moment} leaves nothing behind, and the stream goes on (contributor-server.4)`,
    LIMITED,
    async (t) => {
      const { stream, place, server } = fill(t);
      for (let i = 0; i < 3; i++) {
        const held = moment === "while it asks for one" ? (await stream.loan())! : undefined;
        const visitor = new Visitor(t);
        await visitor.contribute(place);
        if (held !== undefined) await visitor.say({ loan: true });
        else await visitor.take();
        if (moment.endsWith("unmapped")) await visitor.letGo();
        await visitor.kill();
        held?.close();
        (await stream.loan({ timeout: 60_000 }))!.publish();
        await until(() => server.contributors === 0 && server.withheld === 0);
      }
      assert.equal(stream.hasEnded, false);
      using contributor = await StreamContributor.connect(place);
      assert.equal(await (await contributor.loan())!.publish(), 3);
    },
  );
}

test(
  "with the option ends a contributor's end is the stream's: good, failed, or a death (contributor-server.4)",
  LIMITED,
  async (t) => {
    for (const how of ["end", "fail", "death", "close"] as const) {
      const { stream, place } = fill(t, { ends: true });
      using consumer = stream.frames();
      const waiting = consumer.next().catch(codeOf);
      if (how === "death") {
        const visitor = new Visitor(t);
        await visitor.contribute(place);
        await visitor.take();
        await visitor.kill();
      } else {
        using contributor = await StreamContributor.connect(place);
        if (how === "end") contributor.end();
        else if (how === "fail") contributor.fail("ENOSPC");
      }
      assert.equal(await waiting, how === "end" ? undefined : how === "fail" ? "ENOSPC" : "ESRCH");
    }
  },
);

test("a contributor is told that the stream has ended, and what waits is told of its own close", LIMITED, async (t) => {
  const { stream, place } = fill(t);
  using contributor = await StreamContributor.connect(place);
  const loan = (await contributor.loan())!;
  stream.end();
  await assert.rejects(loan.publish(), { code: "EPIPE" });
  assert.equal(await contributor.loan(), undefined);
  const other = fill(t);
  const closed = await StreamContributor.connect(other.place);
  const held = (await other.stream.loan())!;
  const waiting = closed.loan();
  assert.equal(await isPending(waiting), true);
  closed.close();
  assert.equal(await waiting, undefined);
  held.close();
  const aborted = await StreamContributor.connect(fill(t).place);
  await assert.rejects(aborted.loan({ signal: AbortSignal.abort() }), { name: "AbortError" });
  for await (using one of aborted.loans()) {
    await one.publish();
    break;
  }
  aborted.close();
});

test("a contributor whose server is killed gets ECONNRESET, for a loan and for a frame", LIMITED, async (t) => {
  for (const moment of ["loan", "publish"] as const) {
    const place = `@dmabuf test server ${process.pid} ${moment}`;
    const server = new Visitor(t);
    await server.ask({ do: "serve", place });
    using contributor = await StreamContributor.connect(place);
    const loan = (await contributor.loan())!;
    const waiting = moment === "loan" ? contributor.loan().catch(codeOf) : undefined;
    await server.kill();
    assert.equal(await (waiting ?? loan.publish().catch(codeOf)), "ECONNRESET");
    loan.close();
    await assert.rejects(contributor.loan(), { code: "ECONNRESET" });
  }
});

test(
  "a contributor keeps its process alive while it waits for a loan or an answer, and not else (descriptor-lines.2)",
  LIMITED,
  async (t) => {
    const { stream, place } = fill(t);
    const library = new URL("../../src/node/index.js", import.meta.url).href;
    const start = `import { StreamContributor } from ${JSON.stringify(library)};
    const contributor = await StreamContributor.connect(${JSON.stringify(place)});`;
    const run = (program: string) => {
      const child = spawn(process.execPath, ["--input-type=module", "-e", `${start} ${program}`], { stdio: "inherit" });
      t.after(() => child.kill("SIGKILL"));
      return once(child, "exit");
    };
    assert.deepEqual(await run("globalThis.kept = contributor;"), [0, null]);
    const held = (await stream.loan())!;
    const waiting = run("await (await contributor.loan()).publish();");
    assert.equal(await Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 500, "waits"))]), "waits");
    held.close();
    assert.deepEqual(await waiting, [0, null]);
    assert.equal(stream.published, 1);
  },
);

test("several contributors fill a stream, and one too many is refused with ENOSPC", LIMITED, async (t) => {
  const { stream, place, server } = fill(t, { buffers: 4, contributors: 3 });
  const contributors = [];
  for (let i = 0; i < 3; i++) contributors.push(await StreamContributor.connect(place));
  assert.equal(server.contributors, 3);
  t.mock.method(process, "emitWarning", () => {});
  await assert.rejects(StreamContributor.connect(place), { code: "ENOSPC" });
  using consumer = stream.frames();
  const sums = new Map<number, number>();
  const work = contributors.map(async (contributor, who) => {
    for (let i = 0; i < 50; i++) {
      const loan = (await contributor.loan())!;
      loan.bytes.fill(who);
      await loan.publish({ data: who });
    }
    contributor.end();
  });
  for (let i = 0; i < 150; i++) {
    using frame = (await consumer.next())!;
    const who = frame.data as number;
    assert.ok(frame.bytes.every((byte) => byte === who));
    sums.set(who, (sums.get(who) ?? 0) + 1);
  }
  await Promise.all(work);
  assert.deepEqual([...sums.values()], [50, 50, 50]);
});

test("a contributor that says what it should not hurts itself alone, and is told why", LIMITED, async (t) => {
  t.mock.method(process, "emitWarning", () => {});
  const { stream, place } = fill(t, { buffers: 2, contributors: 2 });
  using honest = await StreamContributor.connect(place);
  const wrong = [
    ['{"publish":{}}'],
    ['{"drop":true}'],
    ['{"loan":true}', '{"loan":true}'],
    ['{"loan":1}'],
    ['{"publish":3}'],
    ["{}"],
    ["[]"],
    ['{"end":true}', '{"loan":true}'],
  ];
  for (const lines of wrong) {
    const visitor = new Visitor(t);
    await visitor.contribute(place);
    for (const line of lines) await visitor.say(line);
    let last: Line | undefined;
    for (let line = await visitor.hear(); line !== undefined; line = await visitor.hear()) last = line;
    if (lines[0] !== '{"end":true}') assert.equal(last?.code, "EPROTO", lines.join());
    await visitor.kill();
    await (await honest.loan({ timeout: 60_000 }))!.publish();
  }
  for (const words of ["no JSON\n", "x".repeat(100_000)]) {
    const visitor = new Visitor(t);
    await visitor.contribute(place);
    await visitor.ask({ do: "say", text: words });
    assert.equal(await visitor.hear(), undefined);
  }
  await (await honest.loan({ timeout: 60_000 }))!.publish();
  assert.equal(stream.published, wrong.length + 1);
});

test("a visitor of another version, or of another kind, is told so (visitor-words.1)", LIMITED, async (t) => {
  t.mock.method(process, "emitWarning", () => {});
  const { place } = fill(t);
  const hellos: readonly (readonly [object, RegExp])[] = [
    [{ visitor: 2, as: "contributor" }, /version 2 .* version 1/],
    [{ viewer: true }, /contributors are served here/],
    // visitor-words.2
    [{ visitor: 1, as: "viewer" }, /viewer.*contributors are served here/],
    [{ visitor: 1, as: "contributor", name: 7 }, /name/],
    [{ visitor: 1, as: "contributor", name: "x".repeat(32) }, /name/],
  ];
  for (const [hello, message] of hellos) {
    const visitor = new Visitor(t);
    await visitor.ask({ do: "connect", place });
    await visitor.say(hello);
    const refusal = (await visitor.hear())!;
    assert.equal(refusal.code, "EPROTO");
    assert.match(refusal.message!, message);
    assert.equal(await visitor.hear(), undefined);
  }
});

test("a contributor that does not read loses its connection (contributor-server.6)", LIMITED, async (t) => {
  const { stream, place, server } = fill(t);
  const visitor = new Visitor(t);
  await visitor.contribute(place);
  stream.end();
  // To each of them there is an answer.
  for (let i = 0; i < 1000 && server.contributors > 0; i++) {
    await visitor.ask({ do: "say", text: '{"loan":true}\n' });
  }
  await until(() => server.contributors === 0);
});

test("the bytes behind a frame are those of the example in docs/protocol.md", LIMITED, async (t) => {
  const text = readFileSync(new URL("../../../../../docs/protocol.md", import.meta.url), "utf8");
  const rows = [...text.matchAll(/^ *(\d+) {2}((?:[\da-f]{2} ){7,}[\da-f]{2})/gm)];
  assert.equal(rows.length, 4);
  const domain = ProcessDomain.create({ agents: 4 });
  t.after(() => domain.close());
  const stream = domain.createStream({ format: imageFormat("GREY", 4, 2), buffers: 2, dataBytes: 64 });
  const place = `@dmabuf test ${randomUUID()}`;
  domain.serveContributors(place, stream);
  using consumer = stream.frames();
  using contributor = await StreamContributor.connect(place);
  await (await contributor.loan())!.publish({ timestamp: 40, data: { exposure: 8 } });
  using _frame = (await consumer.next())!;
  const { memory, offset } = endOf(stream).buffers[0]!.storage.segments[0]!;
  for (const [, at, hex] of rows) {
    const expected = hex!.split(" ");
    const bytes = new Uint8Array(memory, offset + Number(at), expected.length);
    assert.deepEqual(
      Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")),
      expected,
      `from byte ${at} on`,
    );
  }
});
