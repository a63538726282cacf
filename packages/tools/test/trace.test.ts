/** `dmabuf trace`: what programs have done, recorded for Perfetto, and read after their death. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test, type TestContext } from "node:test";
import protobuf from "protobufjs";
import { dmabuf, DMABUF, LIMITED, PLAIN_ENVIRONMENT, run, show } from "./processes.js";

const PROGRAM = fileURLToPath(new URL("trace-program.js", import.meta.url));

/** The numbers of Perfetto's published format, once more and by hand: the fields of each message by their numbers. */
type Fields = ReadonlyMap<number, readonly (Uint8Array | number)[]>;

/** The fields of a message as they are in its bytes, without any schema. */
function fieldsIn(bytes: Uint8Array): Fields {
  const reader = protobuf.Reader.create(bytes);
  const fields = new Map<number, (Uint8Array | number)[]>();
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const values = fields.get(tag >>> 3) ?? [];
    fields.set(tag >>> 3, values);
    if ((tag & 7) === 0) values.push(Number(reader.uint64()));
    else if ((tag & 7) === 1) values.push(Number(reader.fixed64()));
    else if ((tag & 7) === 2) values.push(reader.bytes());
    else throw new Error(`Wire type ${tag & 7} of field ${tag >>> 3}`);
  }
  return fields;
}

const message = (fields: Fields, id: number): Fields | undefined => {
  const bytes = fields.get(id)?.[0];
  return bytes instanceof Uint8Array ? fieldsIn(bytes) : undefined;
};
const text = (fields: Fields, id: number): string | undefined => {
  const bytes = fields.get(id)?.[0];
  return bytes instanceof Uint8Array ? new TextDecoder().decode(bytes) : undefined;
};
const number = (fields: Fields, id: number): number | undefined => {
  const value = fields.get(id)?.[0];
  return value === undefined || value instanceof Uint8Array ? undefined : Number(value);
};

interface Track {
  readonly name: string | undefined;
  readonly parent: number | undefined;
  readonly pid: number | undefined;
}

interface Event {
  readonly at: number;
  readonly type: number;
  readonly track: number;
  readonly name: string;
  readonly flows: readonly number[];
}

/** A recording, by the numbers of the published schema: TracePacket 8, 10, 11, 60; TrackEvent 9, 11, 23, 47; TrackDescriptor 1, 2, 3, 5. */
function readPerfetto(path: string): { tracks: Map<number, Track>; events: Event[]; clocks: number[] } {
  const packets = (fieldsIn(readFileSync(path)).get(1) ?? []).map((bytes) => fieldsIn(bytes as Uint8Array));
  const tracks = new Map<number, Track>();
  const events: Event[] = [];
  let clocks: number[] = [];
  for (const packet of packets) {
    assert.equal(number(packet, 10), 1, "each packet names its sequence");
    const track = message(packet, 60);
    if (track !== undefined) {
      const process = message(track, 3);
      const pid = process === undefined ? undefined : number(process, 1);
      tracks.set(number(track, 1)!, { name: text(track, 2), parent: number(track, 5), pid });
    }
    const event = message(packet, 11);
    if (event !== undefined) {
      assert.equal(number(packet, 58), 3, "times are monotonic");
      // Numbers of the wire type "fixed64" may be packed into one field.
      const flows = (event.get(47) ?? []).flatMap((value) => (value instanceof Uint8Array ? packed(value) : [value]));
      const at = number(packet, 8)!;
      events.push({ at, type: number(event, 9)!, track: number(event, 11)!, name: text(event, 23) ?? "", flows });
    }
    const clock = message(packet, 6);
    if (clock !== undefined) clocks = (clock.get(1) ?? []).map((bytes) => number(fieldsIn(bytes as Uint8Array), 1)!);
  }
  return { tracks, events, clocks };
}

function packed(bytes: Uint8Array): number[] {
  const reader = protobuf.Reader.create(bytes);
  const values: number[] = [];
  while (reader.pos < reader.len) values.push(Number(reader.fixed64()));
  return values;
}

/** A folder that is gone after the test. */
function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "dmabuf-trace-test-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test(
  "record runs a program, and writes tracks, slices and arrows that Perfetto opens (perfetto.1, perfetto.2)",
  LIMITED,
  async (t) => {
    const output = join(folder(t), "out.pftrace");
    const { code, stdout, stderr } = await dmabuf("trace", "record", "-o", output, "--", process.execPath, PROGRAM);
    assert.equal(code, 0, stderr);
    assert.equal(stdout, "ready\n", "the program's output is its own");
    assert.match(stderr, /camera +\d+ +has left[^]*viewer +\d+ +has left[^]*ui\.perfetto\.dev/);

    const { tracks, events, clocks } = readPerfetto(output);
    assert.deepEqual(clocks, [3, 1]);
    const agents = [...tracks].filter(([, { name }]) => name === "camera" || name === "viewer");
    assert.equal(agents.length, 2);
    for (const [, { parent }] of agents) assert.ok(tracks.get(parent!)!.pid! > 0, "an agent is in its process");
    const ownerOf = (track: number): string => tracks.get(tracks.get(track)!.parent!)!.name!;

    // perfetto.1
    const depths = new Map<number, string[]>();
    let before = 0;
    for (const { at, type, track, name } of events) {
      assert.ok(at >= before, "events are in the order of their times");
      before = at;
      const open = depths.get(track) ?? [];
      depths.set(track, open);
      if (type === 1) open.push(name);
      if (type === 2) assert.ok(open.pop() !== undefined, "an end without a begin");
      assert.ok(open.length <= 1, `${name} is within another slice of its track`);
    }
    for (const [track, open] of depths)
      assert.deepEqual(open, [], `no slice of ${tracks.get(track)?.name} is left open`);

    // Two waits for one fence at the same time are on two tracks.
    const waits = events.filter(({ type, name }) => type === 1 && name === "wait for render");
    assert.equal(waits.length, 2);
    assert.notEqual(waits[0]!.track, waits[1]!.track);

    // perfetto.2: from the submission to the signal to both that waited, in another agent.
    const arrows = new Map<number, Event[]>();
    for (const event of events) for (const flow of event.flows) arrows.set(flow, [...(arrows.get(flow) ?? []), event]);
    const ways = [...arrows.values()].map((way) => way.map(({ name, track }) => `${ownerOf(track)}: ${name}`));
    const fence = ways.find((way) => way.some((step) => step === "viewer: goes on"));
    assert.deepEqual(fence, [
      "camera: fence:init render",
      "camera: fence:signaled render",
      "viewer: goes on",
      "viewer: goes on",
    ]);
    const handed = ways.filter((way) => way[0] === "camera: stream:publish video");
    assert.deepEqual(
      new Set(handed.map((way) => way.join(" → "))),
      new Set(["camera: stream:publish video → viewer: use video"]),
    );
    assert.equal(handed.length, 5);
  },
);

test("record ends as the command did, and says what could not be run or recorded", LIMITED, async (t) => {
  const output = join(folder(t), "out.pftrace");
  const failed = await dmabuf("trace", "record", "-o", output, process.execPath, PROGRAM, "fail");
  assert.equal(failed.code, 7, failed.stderr);
  assert.ok(existsSync(output), "what a program did before it failed is recorded");

  const missing = await dmabuf("trace", "record", "--", "/no/such/program");
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /Cannot run \/no\/such\/program: there is no such program/);

  const other = await dmabuf("trace", "record", "--", process.execPath, "-e", "");
  assert.equal(other.code, 3);
  assert.match(other.stderr, /joined no domain/);

  const both = await dmabuf("trace", "record", "--domain", "x", "--", "true");
  assert.equal(both.code, 2);
  const unwritable = await dmabuf("trace", "record", "-o", "/proc/x", "--", process.execPath, PROGRAM);
  assert.equal(unwritable.code, 1);
  assert.match(unwritable.stderr, /Cannot write the recording: .*\/proc\/x/);
});

test("open says what happened last, also of a program that was killed", LIMITED, async (t) => {
  const traces = folder(t);
  const child = spawn(process.execPath, [PROGRAM, "hang"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...PLAIN_ENVIRONMENT, DMABUF_TRACE: traces },
  });
  t.after(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
  const running = await dmabuf("trace", "open", traces);
  assert.match(running.stdout, /camera +\d+ +is there/);
  child.kill("SIGKILL");
  await once(child, "exit");

  const { code, stdout, stderr } = await dmabuf("trace", "open", traces, "--last", "5");
  assert.equal(code, 0, stderr);
  assert.match(stdout, new RegExp(`camera +${child.pid} +has died`));
  const lines = stdout.trimEnd().split("\n");
  assert.match(lines.at(-1)!, /camera +fence:emit +render +\d+:2$/, "the fence that no agent signals any more");
  assert.match(stdout, /\d+ earlier events: --last \d+ shows all/);

  const output = join(traces, "out.pftrace");
  const { stdout: printed } = await dmabuf("trace", "open", traces, "--json", "-o", output);
  const { version, files } = JSON.parse(printed) as {
    version: number;
    files: { agent: { name: string }; hasLeft: boolean; events: { point: string }[] }[];
  };
  assert.equal(version, 1);
  assert.deepEqual(files.map(({ agent, hasLeft }) => [agent.name, hasLeft]).sort(), [
    ["camera", false],
    ["viewer", false],
  ]);
  assert.equal(readPerfetto(output).events.length > 0, true);
});

test("open names what is wrong with a path, a file, and an empty folder", LIMITED, async (t) => {
  const traces = folder(t);
  const empty = await dmabuf("trace", "open", traces);
  assert.equal(empty.code, 3);
  assert.match(empty.stderr, new RegExp(`There are no traces in ${traces}.*DMABUF_TRACE=1`));
  const missing = await dmabuf("trace", "open", join(traces, "none"));
  assert.equal(missing.code, 3);
  assert.match(missing.stderr, /ENOENT.*none/);
  writeFileSync(join(traces, "x.dmatrace"), "nothing that was traced");
  const damaged = await dmabuf("trace", "open", traces);
  assert.equal(damaged.code, 1);
  assert.match(damaged.stderr, /x\.dmatrace: it has 23 bytes, fewer than its header/);
  // With DMABUF_TRACE=1 they are in the folder of the user, which is not there yet.
  const none = await run(process.execPath, [DMABUF, "trace", "open"], { XDG_RUNTIME_DIR: traces });
  assert.equal(none.code, 3);
  assert.deepEqual(readdirSync(traces), ["x.dmatrace"]);
});

test("record --domain records one that traces, and says how to start one that does not", LIMITED, async (t) => {
  const silent = await show(t, "camera");
  const refused = await dmabuf("trace", "record", "--domain", String(silent.pid));
  assert.equal(refused.code, 3);
  assert.match(refused.stderr, /No agent of domain \w+ traces.*DMABUF_TRACE=1/);

  const traces = folder(t);
  const tracing = await show(t, "camera", { DMABUF_TRACE: traces });
  const output = join(traces, "out.pftrace");
  const { code, stderr } = await dmabuf("trace", "record", "-d", String(tracing.pid), "--seconds", "0.3", "-o", output);
  assert.equal(code, 0, stderr);
  assert.match(stderr, new RegExp(`camera +${tracing.pid} +is there`));
  assert.ok(readPerfetto(output).tracks.size > 0);
});
