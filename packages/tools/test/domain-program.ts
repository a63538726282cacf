/**
 * A process of a domain, for tests that look at it from outside.
 *
 * Usage: node domain-program.js camera|detector|crowd|odd|twice PLACE, with an IPC channel.
 *
 * - camera makes the domain, writes the buffer "frame", and publishes "frames", a stream of four buffers; the fence of "gpu" never
 *   signals, and is in the reservation of the buffer "texture" as a writer's. It sends the domain and handles.
 * - detector joins, and takes every frame of "frames" and keeps none; it waits for the buffers whose handles it is sent: to read the first,
 *   and for the fences of the second.
 * - crowd makes a domain with 1,000 buffers, of 1 to 1,000 pages.
 * - odd makes a domain with a buffer whose name would change a terminal's colour, and waits for what it holds itself.
 * - twice makes two domains.
 */
import { once } from "node:events";
import process from "node:process";
import { setInterval } from "node:timers/promises";
import { rawFormat, type BufferHandleData } from "dmabuf";
import { ProcessDomain } from "dmabuf/node";

/** What a program of these sends when all is there. */
export interface Ready {
  readonly domains: readonly string[];
  readonly handles: readonly BufferHandleData[];
}

const PAGE = 4096;
/** No time limit ends a fence while a test runs, and no handle ends before it is imported. */
const LONG = 3_600_000;

const [, , role, place] = process.argv as unknown as [string, string, string, string];

/** What is held until the end. */
const held: unknown[] = [];

// A test that is killed leaves none of these.
process.on("disconnect", () => process.exit());

if (role === "camera") await camera();
else if (role === "detector") await detector();
else if (role === "crowd") await crowd();
else if (role === "odd") await odd();
else await twice();

async function camera(): Promise<void> {
  const domain = ProcessDomain.listen(place, { name: "camera", handleLimit: LONG });
  const stream = domain.createStream({ name: "frames", format: rawFormat(64), buffers: 4 });
  const frame = domain.allocate(PAGE, { name: "frame" });
  held.push(frame, await frame.access("write"));
  const texture = domain.allocate(3 * PAGE, { name: "texture" });
  const fence = domain.createTimeline({ name: "gpu", timeLimit: LONG }).createFence();
  const lock = await texture.reservation.lock();
  texture.reservation.reserveFences(1);
  texture.reservation.addFence(fence, "write");
  lock.close();
  held.push(texture, fence);
  tell({ domains: [frame.handle().domain], handles: [frame.handle(), texture.handle()] });
  for await (const _ of setInterval(10)) {
    using loan = stream.tryLoan();
    loan?.publish();
  }
}

async function detector(): Promise<void> {
  const domain = await ProcessDomain.connect(place, { name: "detector" });
  const stream = await domain.findStream("frames");
  const consumer = stream.frames();
  const [handles] = (await once(process, "message")) as [BufferHandleData[]];
  const [frame, texture] = handles.map((handle) => domain.import(handle));
  held.push(frame, texture, frame!.access("read"), texture!.reservation.wait("read"));
  tell({ domains: [handles[0]!.domain], handles: [] });
  for await (using _frame of consumer);
}

async function crowd(): Promise<void> {
  const domain = ProcessDomain.listen(place, { name: "crowd", buffers: 1_024 });
  const buffers = Array.from({ length: 1_000 }, (_, n) => domain.allocate((n + 1) * PAGE, { name: `buffer ${n + 1}` }));
  held.push(buffers);
  tell({ domains: [buffers[0]!.handle().domain], handles: [] });
  await once(process, "message");
}

async function odd(): Promise<void> {
  const domain = ProcessDomain.listen(place, { name: "\u009b31m" });
  const buffer = domain.allocate(PAGE, { name: "\u001b[31m red\n" });
  held.push(buffer, await buffer.access("write"), buffer.access("read"));
  tell({ domains: [buffer.handle().domain], handles: [] });
  await once(process, "message");
}

async function twice(): Promise<void> {
  const domains = [place, `${place} too`].map((each) => ProcessDomain.listen(each, { name: "twice" }));
  held.push(domains);
  tell({ domains: domains.map((domain) => domain.allocate(PAGE).handle().domain), handles: [] });
  await once(process, "message");
}

function tell(ready: Ready): void {
  process.send!(ready);
}
