import { openSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { crc32 } from "node:zlib";
import { DmaBufError, type ErrorCode, type JsonValue, type Picture } from "dmabuf";
import { StreamContributor, StreamViewer, type ContributedLoan, type ViewedFrame } from "dmabuf/node";

/** The adapter of the library's own client, with a fault if its argument names one of {@link FAULTS}. */

interface Order {
  readonly do: string;
  readonly where: string;
  readonly timeout: number;
  readonly plane?: number;
  readonly users?: readonly number[];
  readonly seed: number;
  readonly data?: JsonValue;
  readonly timestamp?: number;
  readonly length?: number;
  readonly picture?: Picture;
  readonly failure: { readonly code: ErrorCode };
}

let viewer: StreamViewer | undefined;
let frame: ViewedFrame | undefined;
let contributor: StreamContributor | undefined;
let loan: ContributedLoan | undefined;
/** One that was waited for in vain: the next call gets what it brings. */
let pending: Promise<ViewedFrame | undefined> | undefined;

const LATE = Symbol();

const COMMANDS: { readonly [name: string]: (order: Order) => object | Promise<object> } = {
  hello: () => ({ client: "dmabuf/node", roles: ["viewer", "contributor"], pid: process.pid }),
  view: async ({ where, ...options }) => {
    viewer = await StreamViewer.connect(where, options);
    return { name: viewer.name, format: viewer.format, policy: viewer.policy };
  },
  next: async ({ timeout }) => {
    if (pending === undefined) {
      const next = (pending = viewer!.next());
      next.catch(() => {});
    }
    const waited = pending;
    if ((await Promise.race([waited.catch(() => {}), passes(timeout)])) === LATE)
      throw new DmaBufError("ETIMEDOUT", `Cannot get a frame: none came in ${timeout} ms`);
    pending = undefined;
    frame = await waited;
    if (frame === undefined) return { frame: null };
    const { sequence, timestamp, publishedAt, bytes, data, picture } = frame;
    return { frame: { sequence, timestamp, publishedAt, length: bytes.length, crc: crc32(bytes), data, picture } };
  },
  look: ({ plane }) => {
    if (plane === undefined) return { crc: crc32(frame!.bytes) };
    const { offset, stride, height } = frame!.format.planes[plane]!;
    return { crc: crc32(frame!.bytes.subarray(offset, offset + stride * height)) };
  },
  done: () => {
    frame!.close();
    return {};
  },
  contribute: async ({ where, ...options }) => {
    contributor = await StreamContributor.connect(where, options);
    const { name, format, dataBytes } = contributor;
    return { name, format, dataBytes };
  },
  loan: async ({ timeout }) => {
    loan = await contributor!.loan({ timeout });
    return { blank: loan !== undefined };
  },
  fill: ({ seed }) => {
    const { bytes } = loan!;
    for (let i = 0; i < bytes.length; i++) bytes[i] = (seed + i + (i >> 8)) & 255;
    return { crc: crc32(bytes) };
  },
  publish: async ({ timeout, data, timestamp, length, picture }) => {
    const published = loan!.publish({ data, timestamp, length, picture } as Parameters<ContributedLoan["publish"]>[0]);
    published.catch(() => {});
    const sequence = await Promise.race([published, passes(timeout)]);
    if (sequence === LATE) throw new DmaBufError("ETIMEDOUT", "The server has not answered");
    return { sequence };
  },
  drop: () => {
    loan?.close();
    return {};
  },
  end: () => {
    contributor!.end();
    return {};
  },
  fail: ({ failure }) => {
    contributor!.fail(failure.code);
    return {};
  },
  close: () => {
    frame?.close();
    viewer?.close();
    loan?.close();
    contributor?.close();
    frame = viewer = pending = loan = contributor = undefined;
    return {};
  },
};

async function passes(timeout: number): Promise<typeof LATE> {
  return new Promise((resolve) => setTimeout(resolve, timeout, LATE).unref());
}

/** What an adapter, or its client, may do wrong: instead of the command that is named, before it, or to its answer. */
const FAULTS: { readonly [name: string]: (order: Order, does: (order: Order) => unknown) => unknown } = {
  name: changed("view", (answer) => ({ ...answer, name: "lens" })),
  format: changed("view", ({ format, ...answer }) => ({ ...answer, format: { ...(format as object), size: 1 } })),
  checksum: changedFrame((frame) => ({ ...frame, crc: (frame["crc"] as number) ^ 1 })),
  length: changedFrame((frame) => ({ ...frame, length: viewer!.format.size })),
  data: changedFrame(({ data: _, ...frame }) => frame),
  picture: changedFrame(({ picture: _, ...frame }) => frame),
  timestamp: changedFrame((frame) => ({ ...frame, timestamp: frame["publishedAt"] })),
  plane: changed("look", (answer) => ({ ...answer, crc: 1 })),
  // It gives its frame back while it looks at it.
  early: changed("next", (answer) => {
    frame?.close();
    return { ...answer };
  }),
  end: changed("next", ({ frame, ...answer }) =>
    frame === null ? { error: { code: "EPIPE", message: "the end" } } : { ...answer, frame },
  ),
  code: failing((error) => ({ ...error, code: "EIO" })),
  words: failing(({ code }) => ({ code, message: "" })),
  hasty: (order, does) =>
    order.do === "next" && order.timeout > 100 ? { error: { code: "ETIMEDOUT", message: "at once" } } : does(order),
  leak: (order, does) => (order.do === "close" ? { ok: true } : does(order)),
  trusting: (order, does) => does(order.do === "view" ? { ...order, users: [65534] } : order),
  believing: changed("view", (answer) => ("error" in answer ? { ok: true, name: "camera" } : answer)),
  greeting: changed("hello", ({ pid: _, ...answer }) => answer),
  dies: (order, does) => (order.do === "view" ? process.exit(7) : does(order)),
  babble: changed("view", () => "hello" as unknown as object),
  // Of a contributor.
  filled: changed("fill", (answer) => {
    loan!.bytes[4095] = loan!.bytes[4095]! ^ 1;
    return answer;
  }),
  number: changed("publish", ({ sequence, ...answer }) => ({ ...answer, sequence: (sequence as number) + 1 })),
  undated: ({ timestamp: _, ...order }, does) => does(order),
  forgetful: ({ data: _, ...order }, does) => does(order),
  whole: ({ length: _, ...order }, does) => does(order),
  hoarding: (order, does) => (order.do === "drop" ? { ok: true } : does(order)),
  // It can write to what it has published.
  keeping: changed("fill", (answer) => {
    const maps = readFileSync("/proc/self/maps", "utf8");
    const [, addresses] = /^(\S+) rw-s .*\/memfd:dmabuf (?!ledgers )/m.exec(maps)!;
    openSync(`/proc/self/map_files/${addresses}`, "r+");
    return answer;
  }),
  impatient: (order, does) =>
    order.do === "loan" && order.timeout === 150 ? { error: { code: "ETIMEDOUT", message: "at once" } } : does(order),
  endless: (order, does) => (order.do === "end" ? { ok: true } : does(order)),
  cause: (order, does) => does(order.do === "fail" ? { ...order, failure: { code: "EIO" } } : order),
  credulous: changed("contribute", (answer) => ("error" in answer ? { ok: true, name: "camera" } : answer)),
  taken: changed("loan", (answer) => ("error" in answer ? { ok: true, blank: true } : answer)),
  status: (order, does) => {
    process.on("exit", () => (process.exitCode = 3));
    return does(order);
  },
};

type Answered = { readonly [name: string]: unknown };
type Fault = (order: Order, does: (order: Order) => unknown) => unknown;

function changed(name: string, change: (answer: Answered) => object): Fault {
  return async (order, does) => {
    const answer = (await does(order)) as Answered;
    return order.do === name ? change(answer) : answer;
  };
}

function changedFrame(change: (frame: Answered) => object): Fault {
  return changed("next", (answer) =>
    answer["frame"] ? { ...answer, frame: change(answer["frame"] as Answered) } : answer,
  );
}

function failing(change: (error: Answered) => object): Fault {
  return async (order, does) => {
    const answer = (await does(order)) as Answered;
    return answer["error"] === undefined ? answer : { error: change(answer["error"] as Answered) };
  };
}

async function answer(order: Order): Promise<object> {
  try {
    const does = COMMANDS[order.do];
    if (does === undefined) throw new DmaBufError("ENOSYS", `Cannot do "${order.do}"`);
    return { ok: true, ...(await does(order)) };
  } catch (error) {
    const { code = "EINVAL", message } = error as Partial<DmaBufError>;
    return { error: { code, message } };
  }
}

const fault = FAULTS[process.argv[2] ?? ""] ?? (async (order) => answer(order));
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as Order;
  process.stdout.write(`${JSON.stringify(await fault(order, answer))}\n`);
}
void COMMANDS["close"]!({} as Order);
process.exit();
