/** A process of the benchmark of hosts: of this library's, or of the pair that only speaks TCP. It is told what to do. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { copiedBytes, imageFormat, type FrameStream } from "dmabuf";
import { Hosts, type HostsOptions } from "dmabuf/hosts";
import { ProcessDomain } from "dmabuf/node";
import { answer, tell } from "dmabuf-host-lab";

/** How many frames of which size, and how fast. */
export interface Load {
  readonly width: number;
  readonly height: number;
  readonly frames: number;
  /** Frames a second; 0 for as fast as they go. */
  readonly fps: number;
}

export interface TcpLoad extends Load {
  readonly address: string;
  readonly port: number;
}

/** What a receiver has measured; times in milliseconds. */
export interface Received {
  readonly frames: number;
  /** From the first frame to the last. */
  readonly took: number;
  /** From when each frame was ready at the sender until it was there. */
  readonly latencies: readonly number[];
  readonly longestPause: number;
  readonly copied: number;
}

const NAME = "bench";
/** Memory that was never written to is one page of zeros for the system, which it copies from its nearest cache. */
const FILL = 1;
/** Frames on their way at most. */
const WINDOW = 3;

let domain: ProcessDomain;
let hosts: Hosts;
let stream: FrameStream | undefined;

/** Milliseconds on a clock that all processes of the machine share. */
function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function bytesOf({ width, height }: Load): number {
  return (width * height * 3) / 2;
}

/** Waits until it is time for a frame. */
async function pace(begun: number, n: number, fps: number): Promise<void> {
  const early = fps === 0 ? 0 : begun + (n * 1_000) / fps - now();
  if (early > 0) await sleep(early);
}

answer({
  listen(place: string): void {
    domain = ProcessDomain.create();
    domain.listen(place);
  },

  async connect(place: string): Promise<void> {
    domain = await ProcessDomain.connect(place, { timeout: 30_000 });
  },

  async join(options: HostsOptions): Promise<void> {
    hosts = await Hosts.join(domain, options);
  },

  async want(): Promise<void> {
    (await hosts.findStream(NAME, { policy: "block", credits: WINDOW, timeout: 30_000 })).close();
  },

  /** Milliseconds of processor time so far. */
  cpu(): number {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000;
  },

  async produce(load: Load): Promise<void> {
    const format = imageFormat("NV12", load.width, load.height);
    stream = domain.createStream({ name: NAME, format, buffers: WINDOW + 1 });
    await stream.waitForConsumers(1);
    const begun = now();
    for (let n = 0; n < load.frames; n++) {
      await pace(begun, n, load.fps);
      const loan = await stream.loan();
      if (loan === undefined) return;
      if (n <= WINDOW) loan.bytes.fill(FILL);
      loan.bytes[0] = n;
      loan.bytes[loan.bytes.length - 1] = n;
      loan.publish({ data: { at: now(), n } });
    }
    stream.end();
  },

  /** Ends with the stream, in whatever way it ends. */
  async consume(): Promise<Received> {
    using found = await domain.findStream(NAME, { timeout: 30_000 });
    const arrivals: number[] = [];
    const latencies: number[] = [];
    try {
      for await (using frame of found.frames<{ at: number; n: number }>({ policy: "block" })) {
        const { at, n } = frame.data!;
        const { bytes } = frame;
        if (bytes[0] !== (n & 255) || bytes[bytes.length - 1] !== (n & 255)) throw new Error(`Frame ${n} is wrong`);
        arrivals.push(now());
        latencies.push(now() - at);
        if (n === 0) tell("first");
      }
    } catch (error) {
      tell("failed", { code: (error as { code?: string }).code, at: now() });
    }
    return received(arrivals, latencies, copiedBytes());
  },

  now,

  /** Sends frames to one that connects, each a credit of which has come. */
  async send(load: TcpLoad): Promise<void> {
    const server = createServer({ noDelay: true }).listen(load.port, load.address);
    const [socket] = (await once(server, "connection")) as [Socket];
    let [credits, wake] = [0, (): void => {}];
    socket.on("data", (bytes) => {
      credits += bytes.length;
      wake();
    });
    socket.on("error", () => {});
    const ring = Array.from({ length: WINDOW + 1 }, () => new Uint8Array(new SharedArrayBuffer(bytesOf(load))));
    for (const frame of ring) frame.fill(FILL);
    const begun = now();
    for (let n = 0; n < load.frames; n++) {
      await pace(begun, n, load.fps);
      const frame = ring[n % ring.length]!;
      const at = now();
      while (credits === 0) await new Promise<void>((resolve) => (wake = resolve));
      credits--;
      new DataView(frame.buffer).setFloat64(0, at);
      frame[frame.length - 1] = n;
      await new Promise((resolve) => socket.write(frame, resolve));
    }
    socket.end();
    server.close();
  },

  async receive(load: TcpLoad): Promise<Received> {
    const ring = Array.from({ length: WINDOW + 1 }, () => new Uint8Array(new SharedArrayBuffer(bytesOf(load))));
    const arrivals: number[] = [];
    const latencies: number[] = [];
    let got = 0;
    const current = (): Uint8Array => ring[arrivals.length % ring.length]!;
    const took = (more: number): boolean => {
      got += more;
      if (got < current().length) return true;
      const frame = current();
      got = 0;
      if (frame[frame.length - 1] !== (arrivals.length & 255)) throw new Error("A frame is wrong");
      latencies.push(now() - new DataView(frame.buffer).getFloat64(0));
      arrivals.push(now());
      socket.write(".");
      return true;
    };
    const { address: host, port } = load;
    const onread = { buffer: () => current().subarray(got), callback: took };
    const socket = await reach(() => connect({ host, port, noDelay: true, onread }));
    socket.write(".".repeat(WINDOW));
    await once(socket, "close");
    return received(arrivals, latencies, 0);
  },
});

/** The other side may not listen yet. */
async function reach(open: () => Socket): Promise<Socket> {
  for (;;) {
    const socket = open();
    try {
      await once(socket, "connect");
      return socket;
    } catch {
      await sleep(20);
    }
  }
}

function received(arrivals: readonly number[], latencies: readonly number[], copied: number): Received {
  const pauses = arrivals.slice(1).map((at, i) => at - arrivals[i]!);
  const took = (arrivals.at(-1) ?? 0) - (arrivals[0] ?? 0);
  return { frames: arrivals.length, took, latencies, longestPause: Math.max(0, ...pauses), copied };
}
