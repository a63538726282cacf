import type { FrameFormat, Picture } from "dmabuf";
import { SLACK, type LineProcess } from "./line-process.js";
import { Fault } from "./same.js";

export interface Answer {
  readonly [name: string]: unknown;
  readonly frame?: SeenFrame | null;
  readonly format?: FrameFormat;
  readonly crc?: number;
}

/** A frame as the client has seen it. */
export interface SeenFrame {
  readonly sequence: number;
  readonly timestamp: number;
  readonly publishedAt: number;
  readonly length: number;
  readonly crc: number;
  readonly data?: unknown;
  readonly picture?: Picture | null;
}

export interface Command {
  readonly do: string;
  readonly [field: string]: unknown;
}

/** The client, behind its adapter. */
export class Adapter {
  readonly #process: LineProcess;
  /** Milliseconds for what must come. */
  readonly #timeout: number;

  constructor(process: LineProcess, timeout: number) {
    this.#process = process;
    this.#timeout = timeout;
  }

  /** Whatever it answers. */
  async answer(command: Command): Promise<Answer> {
    const { timeout = this.#timeout } = command as { readonly timeout?: number };
    const order = WAITING.includes(command.do) ? { ...command, timeout } : command;
    return (await this.#process.ask(order, timeout + SLACK)) as Answer;
  }

  /** @throws {Fault} If the client fails. */
  async ask(command: Command): Promise<Answer> {
    const answer = await this.answer(command);
    if (answer["ok"] === true) return answer;
    throw new Fault(`"${command.do}" is answered ${JSON.stringify(answer).slice(0, 500)}, and must be ok`);
  }

  /** The message of the error that it must answer. @throws {Fault} If there is none, or one of another code. */
  async fails(command: Command, ...codes: readonly string[]): Promise<string> {
    const answer = await this.answer(command);
    const { code, message } = (answer["error"] ?? {}) as { readonly code?: unknown; readonly message?: unknown };
    if (!codes.includes(String(code))) {
      const shown = JSON.stringify(answer).slice(0, 500);
      throw new Fault(`"${command.do}" is answered ${shown}, and must be ${codes.join(" or ")}`);
    }
    if (typeof message === "string" && message !== "") return message;
    throw new Fault(`"${command.do}" fails with ${String(code)} and without a message`);
  }

  /** The next frame. @throws {Fault} If there is none. */
  async next(timeout?: number): Promise<SeenFrame> {
    const { frame } = await this.ask({ do: "next", ...(timeout !== undefined && { timeout }) });
    if (frame === null || frame === undefined) throw new Fault("the client has no frame, and one was published");
    return frame;
  }

  async finish(): Promise<string | undefined> {
    return this.#process.finish(this.#timeout + SLACK);
  }

  async kill(): Promise<void> {
    await this.#process.kill();
  }
}

const WAITING: readonly string[] = ["view", "next", "contribute", "loan", "publish", "drop"];
