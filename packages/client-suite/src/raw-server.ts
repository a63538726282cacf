import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { SLACK, LineProcess } from "./line-process.js";
import { Skipped, type Scene } from "./scene.js";

const PROGRAM = fileURLToPath(new URL("../../raw-server.py", import.meta.url));
const PYTHON = process.env["DMABUF_PYTHON"] ?? "python3";

/** A memory file of the raw server's, or the path of something else; `pipe` is one. */
export type Sent = { readonly file: number; readonly writable?: boolean } | string;

interface Heard {
  /** `null` if the client has hung up before its line was complete. */
  readonly line: string | null;
  /** How many descriptors it has sent until now. */
  readonly descriptors: number;
}

/** A server whose every word is written by hand: see `raw-server.py`. */
export class RawServer {
  readonly where: string;
  readonly #process: LineProcess;
  readonly #timeout: number;

  private constructor(process: LineProcess, where: string, timeout: number) {
    this.#process = process;
    this.where = where;
    this.#timeout = timeout;
  }

  /** @param uid The number of the user that it belongs to. Default: this one. */
  static async start(scene: Scene, uid?: number): Promise<RawServer> {
    checkPython();
    const where = scene.place();
    const user = uid === undefined ? {} : { uid, gid: uid };
    const child = new LineProcess("the raw server", [PYTHON, PROGRAM], user);
    scene.after(async () => child.kill());
    await child.started();
    const server = new RawServer(child, where, scene.timeout);
    await server.#ask({ do: "listen", where });
    return server;
  }

  async accept(): Promise<void> {
    await this.#ask({ do: "accept" });
  }

  async line(): Promise<Heard> {
    return (await this.#ask({ do: "line" })) as Heard;
  }

  /** The client's next line as an object. */
  async words(): Promise<{ readonly [name: string]: unknown }> {
    const { line } = await this.line();
    if (line === null) throw new Error("The client has hung up instead of saying anything");
    return JSON.parse(line) as { readonly [name: string]: unknown };
  }

  /** All that the client says until it hangs up. */
  async rest(): Promise<string> {
    return ((await this.#ask({ do: "rest" })) as { readonly text: string }).text;
  }

  async hangUp(): Promise<void> {
    await this.#ask({ do: "hangUp" });
  }

  /** A new memory file. @param bytes Its length. */
  async memory(bytes: number, options: { readonly sealed?: boolean } = {}): Promise<number> {
    return ((await this.#ask({ do: "memory", bytes, ...options })) as { readonly file: number }).file;
  }

  async write(file: number, at: number, data: Uint8Array): Promise<void> {
    await this.#ask({ do: "write", file, at, base64: Buffer.from(data).toString("base64") });
  }

  async read(file: number, at: number, count: number): Promise<Buffer> {
    const { base64 } = (await this.#ask({ do: "read", file, at, count })) as { readonly base64: string };
    return Buffer.from(base64, "base64");
  }

  /**
   * Says something: an object is one line of JSON, several are as many.
   *
   * @param pieces Bytes that are sent at a time. Default: all.
   */
  async send(
    words: string | Uint8Array | object | readonly object[],
    descriptors: readonly Sent[] = [],
    pieces?: number,
  ): Promise<void> {
    const base64 = asBytes(words).toString("base64");
    await this.#ask({ do: "send", base64, descriptors, ...(pieces !== undefined && { pieces }) });
  }

  async #ask(order: object): Promise<object> {
    const answer = (await this.#process.ask({ timeout: this.#timeout, ...order }, this.#timeout + SLACK)) as {
      readonly failed?: string;
    };
    if (answer.failed === undefined) return answer;
    throw new Error(`The raw server cannot ${(order as { readonly do: string }).do}: ${answer.failed}`);
  }
}

function asBytes(words: string | Uint8Array | object | readonly object[]): Buffer {
  if (typeof words === "string") return Buffer.from(words);
  if (words instanceof Uint8Array) return Buffer.from(words);
  const lines = Array.isArray(words) ? (words as readonly object[]) : [words];
  return Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
}

let lacks: string | undefined;
let asked = false;

function checkPython(): void {
  if (!asked) {
    asked = true;
    const { status } = spawnSync(PYTHON, ["-c", "import socket; socket.send_fds"], { stdio: "ignore" });
    if (status !== 0) lacks = "wrong servers need python3, 3.9 or later";
  }
  if (lacks !== undefined) throw new Skipped(lacks);
}
