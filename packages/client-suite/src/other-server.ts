import { fileURLToPath } from "node:url";
import { SLACK, LineProcess } from "./line-process.js";
import type { Role, Scene } from "./scene.js";

/** A server of the real library in a process of its own, which can be killed. */
export class OtherServer {
  readonly where: string;
  readonly #process: LineProcess;
  readonly #limit: number;

  private constructor(process: LineProcess, where: string, limit: number) {
    this.#process = process;
    this.where = where;
    this.#limit = limit;
  }

  static async start(scene: Scene, role: Role): Promise<OtherServer> {
    const where = scene.place();
    const program = fileURLToPath(new URL("server-program.js", import.meta.url));
    const child = new LineProcess("the suite's server", [process.execPath, program, role, where]);
    scene.after(async () => child.kill());
    const server = new OtherServer(child, where, scene.timeout + SLACK);
    await server.ask({ do: "start" });
    return server;
  }

  async ask(order: object): Promise<object> {
    return this.#process.ask(order, this.#limit);
  }

  async kill(): Promise<void> {
    await this.#process.kill();
  }
}
