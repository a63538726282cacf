import { signal } from "@preact/signals";
import { connectWorker, type WorkerLink } from "dmabuf/web";
import type { Role, Start } from "../shared/messages.js";
import PageWorker from "../workers/worker.ts?worker";
import { domain } from "./world.js";

/** How a worker is. */
export type MemberState = "none" | "starting" | "running" | "killed" | "failed";

/** How a worker's death went. */
export interface Death {
  /** Frames that it held. */
  readonly held: number;
  /** From the kill until its end was noticed and all that it held was given back, in milliseconds. */
  readonly after: number;
}

/** How often a worker that fails by itself is started again. */
const MOST_FAILURES = 3;

interface MemberOptions<Report> {
  /** What it tells. */
  readonly onReport: (report: Report) => void;
  /** It has joined: it can be told what to do. */
  readonly onJoined: () => void;
  readonly onFailed: (error: unknown) => void;
  /** What is sent along to each new worker. */
  readonly withStart?: () => { readonly canvas?: OffscreenCanvas };
}

/** A worker with its role, and the next one after it has died. */
export class Member<Report = unknown> {
  readonly role: Role;
  readonly state = signal<MemberState>("none");
  readonly lastDeath = signal<Death | undefined>(undefined);
  /** How many workers had the role before. */
  readonly generation = signal(0);
  readonly #options: MemberOptions<Report>;
  #link: WorkerLink | undefined;
  #port: MessagePort | undefined;
  #failures = 0;
  /** When it was killed, and what it held. */
  #kill: { readonly at: number; readonly held: number } | undefined;
  #isWanted = false;

  constructor(role: Role, options: MemberOptions<Report>) {
    this.role = role;
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.state.peek() === "running";
  }

  /** Starts its worker, unless it has one. */
  async start(): Promise<void> {
    this.#isWanted = true;
    const state = this.state.peek();
    if (state === "starting" || state === "running") return;
    this.state.value = "starting";
    const { port1, port2 } = new MessageChannel();
    const { canvas } = this.#options.withStart?.() ?? {};
    const data: Start = { role: this.role, port: port2, ...(canvas !== undefined && { canvas }) };
    const transfer = canvas === undefined ? [port2] : [port2, canvas];
    port1.onmessage = ({ data: report }: MessageEvent<Report>) => this.#options.onReport(report);
    try {
      const link = await connectWorker(domain(), new PageWorker({ name: this.role }), {
        ...{ name: this.role, data, transfer },
      });
      this.#link = link;
      this.#port = port1;
      void link.ended.then(() => this.#ended(link));
      this.state.value = "running";
      this.#options.onJoined();
    } catch (error) {
      port1.close();
      this.state.value = "failed";
      this.#options.onFailed(error);
    }
  }

  /** Tells it something; nothing if it does not run. */
  order(order: object, transfer: Transferable[] = []): void {
    this.#port?.postMessage(order, transfer);
  }

  /** Ends its worker as a crash would. The next one starts by itself. */
  kill(): void {
    if (this.#link === undefined || !this.isRunning) return;
    this.#kill = { at: performance.now(), held: framesOf(this.role) };
    this.state.value = "killed";
    void this.#link.terminate();
  }

  /** Ends its worker, and starts no other. */
  stop(): void {
    this.#isWanted = false;
    void this.#link?.terminate();
  }

  #ended(link: WorkerLink): void {
    if (link !== this.#link) return;
    const kill = this.#kill;
    this.#port?.close();
    [this.#link, this.#port, this.#kill] = [undefined, undefined, undefined];
    this.generation.value++;
    if (kill !== undefined) this.lastDeath.value = { held: kill.held, after: performance.now() - kill.at };
    else if (this.#isWanted) {
      this.#failures++;
      this.#options.onFailed(new Error(`The worker "${this.role}" has ended by an error that nothing has caught.`));
    }
    this.state.value = this.#isWanted && kill === undefined ? "failed" : "none";
    if (this.#isWanted && this.#failures < MOST_FAILURES && this.#options.withStart === undefined) void this.start();
  }
}

/** How many frames an agent reads or fills just now. */
function framesOf(name: string): number {
  return domain()
    .statistics()
    .filter(({ readers, writer }) => readers.includes(name) || writer === name).length;
}
