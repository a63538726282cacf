import { createServer, connect, type AddressInfo, type Server, type Socket } from "node:net";

/** Passes connections on, with all bytes late: a long cable. */
export class DelayProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  /**
   * @param target Where it connects to for each connection that comes.
   * @param ms By how many milliseconds bytes are late, in each direction. A long cable loses none: they are kept, in order.
   * @param host Where it listens, at a port of its own.
   */
  static async start(
    target: { readonly host: string; readonly port: number },
    ms: number,
    host = "127.0.0.1",
  ): Promise<DelayProxy> {
    const server = createServer({ noDelay: true, allowHalfOpen: true }, (near) => {
      const far = connect({ ...target, noDelay: true, allowHalfOpen: true });
      proxy.#pass(near, far, ms);
      proxy.#pass(far, near, ms);
    });
    const proxy = new DelayProxy(server);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, host, resolve);
    });
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Ends all connections at once. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.#server.close();
    this.cut();
  }

  #pass(from: Socket, to: Socket, ms: number): void {
    this.#sockets.add(from);
    const late = (act: () => void): void => void setTimeout(() => !to.destroyed && act(), ms).unref();
    from.on("data", (bytes) => late(() => to.write(bytes)));
    from.on("end", () => late(() => to.end()));
    from.on("error", () => {});
    from.on("close", () => {
      this.#sockets.delete(from);
      late(() => to.destroy());
    });
  }
}
