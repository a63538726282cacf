import { randomUUID } from "node:crypto";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { Adapter } from "./adapter.js";
import { LineProcess } from "./line-process.js";
import { Fault, holds } from "./same.js";

export type Role = "viewer" | "contributor";

/** One of the suite's tests. */
export interface Case {
  /** Its name on the command line and in the table. */
  readonly id: string;
  readonly role: Role;
  /** A fact about the client. */
  readonly says: string;
  /** Throws a {@link Fault} if the fact does not hold, and {@link Skipped} if that cannot be seen here. */
  readonly run: (scene: Scene) => Promise<void>;
}

/** Cases of one role, numbered from 1. */
export function numbered(prefix: string, role: Role, cases: readonly (readonly [string, Case["run"]])[]): Case[] {
  return cases.map(([says, run], i) => ({ id: `${prefix}-${String(i + 1).padStart(2, "0")}`, role, says, run }));
}

/** Why a case cannot run here: what is missing. */
export class Skipped extends Error {}

export interface Hello {
  readonly client: string;
  readonly roles: readonly Role[];
  readonly pid: number;
}

export interface SceneOptions {
  readonly command: readonly [string, ...string[]];
  /** Milliseconds for what must come. */
  readonly timeout: number;
  /** Where the client comes from, and goes to if all was well. Default: each case has a process of its own. */
  readonly kept?: Kept;
}

interface Started {
  readonly process: LineProcess;
  readonly adapter: Adapter;
  readonly hello: Hello;
}

/** A client that one case leaves to the next one. One that has failed is not kept. */
export class Kept {
  #client: Started | undefined;

  take(): Started | undefined {
    const client = this.#client;
    this.#client = undefined;
    return client;
  }

  put(client: Started): void {
    this.#client = client;
  }

  /** Ends it. How it has ended, if not with status 0. */
  async finish(): Promise<string | undefined> {
    const client = this.take();
    try {
      return await client?.adapter.finish();
    } finally {
      await client?.process.kill();
    }
  }
}

/** Where a case runs: the client, and what the case has made beside it. */
export class Scene {
  readonly #options: SceneOptions;
  readonly #undo: (() => unknown)[] = [];
  readonly #processes: LineProcess[] = [];
  #client: Started | undefined;
  #isFinished = false;

  private constructor(options: SceneOptions) {
    this.#options = options;
  }

  static async start(options: SceneOptions): Promise<Scene> {
    const scene = new Scene(options);
    try {
      scene.#client = options.kept?.take();
      if (scene.#client === undefined) scene.#client = await scene.#start();
      else scene.#take(scene.#client.process);
      return scene;
    } catch (error) {
      await scene.end();
      throw error;
    }
  }

  get client(): Adapter {
    return this.#client!.adapter;
  }

  get hello(): Hello {
    return this.#client!.hello;
  }

  /** Milliseconds for what must come. */
  get timeout(): number {
    return this.#options.timeout;
  }

  /** One more process with a client. */
  async another(): Promise<Adapter> {
    return (await this.#start()).adapter;
  }

  async #start(): Promise<Started> {
    const process = new LineProcess("the adapter", this.#options.command);
    this.#take(process);
    await process.started();
    const adapter = new Adapter(process, this.timeout);
    return { process, adapter, hello: checkHello(await adapter.ask({ do: "hello" })) };
  }

  #take(process: LineProcess): void {
    process.said = "";
    this.#processes.push(process);
  }

  /** A place that no server has had. */
  place(): string {
    return `@dmabuf client suite ${randomUUID()}`;
  }

  /** What is called at the end, the last one first. */
  after(undo: () => unknown): void {
    this.#undo.push(undo);
  }

  /** What the adapters have written to their standard error. */
  get said(): string {
    return this.#processes.map(({ said }) => said).join("");
  }

  /** The client is closed, and left to the next case or ended. */
  async close(): Promise<void> {
    const { kept } = this.#options;
    if (kept === undefined) return this.finish();
    if (this.#isFinished) return;
    const client = this.#client!;
    await client.adapter.ask({ do: "close" });
    this.#processes.splice(this.#processes.indexOf(client.process), 1);
    kept.put(client);
  }

  /** Ends the client's input, after which it must end in order. Twice does nothing. */
  async finish(): Promise<void> {
    if (this.#isFinished) return;
    this.#isFinished = true;
    const ended = await this.client.finish();
    holds(
      ended === undefined,
      `the adapter ends with ${ended} after the end of its standard input, and must with status 0`,
    );
  }

  async end(): Promise<void> {
    for (const process of this.#processes) await process.kill();
    for (const undo of this.#undo.splice(0).reverse()) await undo();
  }

  /** Waits until it is so. @throws {Fault} If that takes too long. */
  async until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
    const end = performance.now() + this.timeout;
    while (!(await isSo())) {
      if (performance.now() > end) throw new Fault(`not within ${this.timeout} ms: ${what}`);
      await pause(5);
    }
  }

  /** What the client's process has open and mapped, of memory files and sockets. */
  remains(): Remains {
    const { pid } = this.hello;
    if (!existsSync(`/proc/${pid}/fd`))
      throw new Fault(`"hello" says that process ${pid} has the client: there is none`);
    const open = readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`);
      } catch {
        return "";
      }
    });
    return {
      descriptors: open.filter((file) => /^\/memfd:|^socket:|^pipe:/.test(file)).length,
      mappings: mappingsOf(pid).length,
    };
  }

  /** Mappings of memory files that can be written. */
  writable(): readonly string[] {
    return mappingsOf(this.hello.pid).filter((line) => /^\S+ .w/.test(line));
  }

  /** @throws {Fault} If the client has more than before. */
  async sees(before: Remains, when: string): Promise<void> {
    let now = before;
    await this.until(`${when}, no more than before is open and mapped`, () => {
      now = this.remains();
      return now.descriptors <= before.descriptors && now.mappings <= before.mappings;
    }).catch((error: unknown) => {
      const had = `${before.descriptors} descriptors and ${before.mappings} mappings`;
      if (!(error instanceof Fault)) throw error;
      throw new Fault(
        `${when}, the client has ${now.descriptors} descriptors and ${now.mappings} mappings; before, ${had}`,
      );
    });
  }
}

export interface Remains {
  readonly descriptors: number;
  readonly mappings: number;
}

/** Of the memory files of streams and of the raw server; what else the library has of its own is the process's. */
function mappingsOf(pid: number): string[] {
  const lines = readFileSync(`/proc/${pid}/maps`, "utf8").split("\n");
  return lines.filter((line) => /\/memfd:(dmabuf (?!ledgers )|raw server)/.test(line));
}

function checkHello({ client, roles, pid }: { readonly [name: string]: unknown }): Hello {
  const isRoles = Array.isArray(roles) && roles.every((role) => role === "viewer" || role === "contributor");
  if (typeof client !== "string" || !isRoles || roles.length === 0 || typeof pid !== "number")
    throw new Fault('"hello" must be answered with "client", "roles" and "pid"');
  return { client, roles, pid };
}
