import { fork, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { rawFormat, type FrameStream } from "../../src/index.js";
import { ProcessDomain, type ContributorServer, type ServeContributorsOptions } from "../../src/node/index.js";
import type { Order } from "./visitor-peer.js";

/** A line that a server has said. */
export interface Line {
  readonly code?: string;
  readonly message?: string;
  readonly refused?: { readonly code: string };
}

/** A process of its own that visits by its own words. It ends with the test. */
export class Visitor {
  readonly child: ChildProcess;

  constructor(t: TestContext, uid?: number) {
    const script = fileURLToPath(new URL("visitor-peer.js", import.meta.url));
    this.child = fork(script, [], uid === undefined ? {} : { uid, gid: uid });
    t.after(() => this.child.kill("SIGKILL"));
  }

  /** What it answers: an error is its code. */
  async ask(order: Order): Promise<unknown> {
    this.child.send(order);
    const [{ answer, code }] = (await once(this.child, "message")) as [{ answer?: unknown; code?: string }];
    return code ?? answer;
  }

  /** Says a line. */
  async say(line: object | string): Promise<void> {
    await this.ask({ do: "say", text: `${typeof line === "string" ? line : JSON.stringify(line)}\n` });
  }

  /** The next line that it hears; `undefined` at the end of the connection. */
  async hear(): Promise<Line | undefined> {
    const line = await this.ask({ do: "hear" });
    return line === undefined ? undefined : (JSON.parse(line as string) as Line);
  }

  /** Connects as a contributor, and hears the greeting. */
  async contribute(place: string): Promise<Line | undefined> {
    await this.ask({ do: "connect", place });
    await this.say({ visitor: 1, as: "contributor", name: "a test" });
    return this.hear();
  }

  /** Has a blank, and its memory mapped. */
  async take(): Promise<void> {
    await this.say({ loan: true });
    await this.hear();
    await this.ask({ do: "map" });
  }

  /** Gives the memory back. */
  async letGo(): Promise<void> {
    await this.ask({ do: "unmap" });
    await this.ask({ do: "close" });
  }

  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await once(this.child, "exit");
  }
}

export interface Filled {
  readonly domain: ProcessDomain;
  readonly stream: FrameStream;
  readonly server: ContributorServer;
  readonly place: string;
}

/** A stream that contributors fill. */
export function fill(t: TestContext, options: ServeContributorsOptions & { readonly buffers?: number } = {}): Filled {
  const { buffers = 1, ...others } = options;
  const domain = ProcessDomain.create({ agents: 8 });
  t.after(() => domain.close());
  const stream = domain.createStream({ name: "filled", format: rawFormat(1000), buffers });
  const place = `@dmabuf test ${randomUUID()}`;
  return { domain, stream, place, server: domain.serveContributors(place, stream, others) };
}
