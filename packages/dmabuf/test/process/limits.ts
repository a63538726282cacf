/**
 * Goes to the limits of domains of processes in a process of its own, and prints what happens there.
 *
 * Usage: node --expose-gc limits.js CASE [PLACE]
 */
import { once } from "node:events";
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import process from "node:process";
import { rawFormat, type DmaBuf, type DmaBufError, type BufferHandleData } from "../../src/index.js";
import { capabilities, ProcessDomain } from "../../src/node/index.js";
import { pause } from "../agents.js";
import { reservedGibibytes } from "../mappings.js";

const MIB = 1 << 20;

const cases: Record<string, () => unknown> = {
  /** What works on the shared words, and whether two agents reach each other. */
  async words() {
    const { words, whyAtomics = "", processes } = capabilities();
    const domain = ProcessDomain.create({ agents: 4 });
    const here = `@dmabuf limits ${process.pid}`;
    domain.listen(here);
    const other = await ProcessDomain.connect(here);
    const fence = domain.createTimeline().createFence();
    const imported = other.import(fence.handle());
    setImmediate(() => fence.signal());
    const result = await imported.wait();
    // The memory on which it was tried whether files can be mapped over one goes with the garbage.
    await usage();
    return { words, whyAtomics, processes, result, reserved: reservedGibibytes() };
  },

  /** What is left of a thousand domains that were closed. */
  async closings() {
    const closeSome = async (domains: number): Promise<{ reserved: number; resident: number }> => {
      for (let i = 0; i < domains; i++) ProcessDomain.create({ agents: 4 }).close();
      // Threads of the engine give back the memory of what was collected, some time later.
      let resident = Infinity;
      for (let look = 0; look < 10; look++) {
        await usage();
        resident = Math.min(resident, residentBytes());
      }
      return { reserved: reservedGibibytes(), resident };
    };
    // The first ones are compiled, and then compiled again.
    const before = await closeSome(1_000);
    const after = await closeSome(1_000);
    return { reserved: after.reserved - before.reserved, mib: (after.resident - before.resident) / MIB };
  },

  /** How much an unused domain with the default sizes takes: memory of its own, and of the control segment. */
  idle() {
    // What the first one loads is not the domain's.
    const domains = [ProcessDomain.create()];
    const before = residentBytes();
    const COUNT = 4;
    for (let i = 0; i < COUNT; i++) domains.push(ProcessDomain.create());
    return (residentBytes() - before) / COUNT / MIB;
  },

  /** What 10,000 frames leave behind. */
  async frames() {
    const domain = ProcessDomain.create({ agents: 4 });
    const here = `@dmabuf limits ${process.pid}`;
    domain.listen(here);
    const other = await ProcessDomain.connect(here);
    const stream = domain.createStream({ name: "frames", format: rawFormat(65_536) });
    const consumer = (await other.findStream("frames", { timeout: 30_000 })).frames();
    const pass = async (frames: number): Promise<void> => {
      for (let i = 0; i < frames; i++) {
        const loan = (await stream.loan())!;
        loan.bytes[0] = i;
        loan.publish({ data: i });
        using frame = await consumer.next();
        void frame!.bytes[0];
      }
    };
    await pass(3_000);
    const before = await usage();
    await pass(10_000);
    const after = await usage();
    const result = {
      descriptors: after.descriptors - before.descriptors,
      mappings: after.mappings - before.mappings,
      heapMib: Math.max(0, Math.round((after.heap - before.heap) / MIB)),
    };
    other.close();
    domain.close();
    return result;
  },

  /**
   * The memory of a closed buffer, seen through a descriptor that lies about, right before and right after the close.
   */
  closed() {
    const domain = ProcessDomain.create({ agents: 4 });
    const buffer = domain.allocate(16 * MIB, { name: "large" });
    {
      using access = buffer.tryAccess("write")!;
      access.bytes.fill(1);
    }
    const file = readdirSync("/proc/self/fd").find((fd) => linkOf(fd).includes("dmabuf large"))!;
    const copy = openSync(`/proc/self/fd/${file}`, "r");
    const before = fstatSync(copy).blocks * 512;
    const mapped = mappedBytes("dmabuf large");
    buffer.close();
    return { before, mapped, after: fstatSync(copy).blocks * 512, stillMapped: mappedBytes("dmabuf large") };
  },

  /** A view that is transferred away, and touched after the buffer is closed. */
  stolen() {
    const domain = ProcessDomain.create({ agents: 4 });
    const buffer = domain.allocate(MIB);
    // The first view of some memory cannot be transferred, a later one can.
    buffer.tryAccess("write")![Symbol.dispose]();
    const access = buffer.tryAccess("write")!;
    access.bytes.fill(1);
    const memory = access.bytes.buffer as ArrayBuffer;
    const stolen = new Uint8Array(steal(memory));
    const seen = [stolen[0], stolen.length];
    access[Symbol.dispose]();
    buffer.close();
    // Node.js 20 has made a copy.
    if ("transfer" in memory) seen.push(stolen[0], stolen[MIB - 1]);
    stolen.fill(9);
    domain.close();
    return seen;
  },

  /** More buffers than descriptors: which error, and whether it goes on when one is closed. */
  descriptors() {
    const domain = ProcessDomain.create({ agents: 4, buffers: 1_024 });
    const buffers: DmaBuf[] = [];
    const code = codeOf(() => {
      for (;;) buffers.push(domain.allocate(4_096));
    });
    const more = codeOf(() => ProcessDomain.create({ agents: 4 }));
    buffers.pop()!.close();
    buffers.push(domain.allocate(4_096));
    for (const buffer of buffers) buffer.close();
    return { code, more, some: buffers.length > 10, left: domain.statistics().length };
  },

  /** A buffer comes to an agent that has no descriptor left for it, and then has one. */
  async received() {
    const domain = await ProcessDomain.connect(place!);
    const files: number[] = [];
    const full = codeOf(() => {
      for (;;) files.push(openSync("/dev/null", "r"));
    });
    process.send!("full");
    const [handle] = (await once(process, "message")) as [BufferHandleData];
    const code = codeOf(() => void domain.import(handle));
    for (const file of files) closeSync(file);
    const later = codeOf(() => domain.import(handle).close());
    return { full, code, later };
  },

  /** Joining without descriptors enough. */
  async join() {
    const before = readdirSync("/proc/self/fd").length;
    const code = await ProcessDomain.connect(place!).then(
      () => "none",
      (error: DmaBufError) => error.code,
    );
    await pause(100);
    return { code, left: readdirSync("/proc/self/fd").length - before };
  },
};

async function usage(): Promise<{ descriptors: number; mappings: number; heap: number }> {
  for (let i = 0; i < 5; i++) {
    globalThis.gc!();
    await pause(10);
  }
  const { heapUsed, external } = process.memoryUsage();
  const mappings = readFileSync("/proc/self/maps", "utf8")
    .split("\n")
    .filter((line) => line.includes("memfd:")).length;
  return { descriptors: readdirSync("/proc/self/fd").length, mappings, heap: heapUsed + external };
}

function residentBytes(): number {
  for (let i = 0; i < 5; i++) globalThis.gc!();
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))![1]) * 1024;
}

/** Bytes of a memory file that are resident in this process's mappings. */
function mappedBytes(name: string): number {
  const smaps = readFileSync("/proc/self/smaps", "utf8").split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/);
  const of = smaps.filter((mapping) => mapping.split("\n")[0]!.includes(name));
  return of.reduce((sum, mapping) => sum + Number(/Rss:\s+(\d+) kB/.exec(mapping)![1]) * 1024, 0);
}

function steal(memory: ArrayBuffer & { transfer?(): ArrayBuffer }): ArrayBuffer {
  return memory.transfer?.() ?? structuredClone(memory, { transfer: [memory] });
}

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    // The one by which the list was read.
    return "";
  }
}

function codeOf(run: () => void): string {
  try {
    run();
    return "none";
  } catch (error) {
    return (error as DmaBufError).code;
  }
}

const [, , what, place] = process.argv;
const result = await cases[what!]!();
console.log(JSON.stringify(result));
process.exit(0);
