import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { codeOf, DmaBufError } from "../../errors.js";
import type { LimitedWarnings } from "../../node/connecting/limited-warnings.js";
import { addressText } from "./address.js";
import { HELLO_LIMIT, MOST_HELLO, parseHello, type Hello } from "./handshake.js";
import { secured, type TlsKey } from "./secure.js";
import { readLine } from "./read-line.js";

/**
 * The one port of a host, which all others connect to.
 *
 * port.1. A connection begins with one line of JSON, of at most 512 bytes, that has come within a second. What sends
 *      anything else, or nothing, is closed.
 * port.2. At most 64 connections may have said nothing yet: the one that has been silent the longest goes for another.
 * port.3. A data connection is let in by its ticket, and told so by one byte; the next bytes are those of who issued it.
 *      Without a ticket that is known it is told so, and closed.
 * port.4. Nothing that comes to a port ends the process. However much is refused, there are a few warnings with a count.
 */

/** port.2. */
const MOST_SILENT = 64;

/** port.3. */
export const TICKET_IS_GOOD = 0x2b;
const TICKET_IS_UNKNOWN = 0x2d;

/** What is done with connections. */
export interface PortHandlers {
  /** Takes a data connection; undefined if its ticket is not known. */
  readonly redeem: (ticket: string) => ((socket: Socket) => void) | undefined;
  /** Another host wants a control connection. The socket is its own now. */
  readonly greet: (socket: Socket, line: string, hello: Hello) => Promise<void>;
  readonly warnings: LimitedWarnings;
  /** The keys of TLS, where that is used. */
  readonly tls: readonly TlsKey[] | undefined;
}

export class Port {
  /** Where it listens: with the port that it was given, if it wanted any. */
  readonly address: string;
  readonly #server: Server;
  readonly #handlers: PortHandlers;
  /** In the order in which they came. */
  readonly #silent = new Set<Socket>();
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, handlers: PortHandlers) {
    const { address, port } = server.address() as AddressInfo;
    this.address = addressText({ host: address, port });
    this.#server = server;
    this.#handlers = handlers;
    server.on("connection", (socket: Socket) => void this.#serve(socket));
    server.on("error", (error) => handlers.warnings.warn(`No host can connect now: ${error.message}`));
  }

  /**
   * @param bind The address of this machine that it listens at.
   * @throws {DmaBufError} `EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES` and others, as of the system.
   */
  static async listen(bind: string, port: number, handlers: PortHandlers): Promise<Port> {
    const server = createServer({ noDelay: true, keepAlive: true });
    await new Promise<void>((resolve, reject) => {
      server.once("error", (cause) => {
        reject(new DmaBufError(codeOf(cause), `Cannot listen at ${bind}, port ${port}: ${cause.message}`, { cause }));
      });
      server.listen({ host: bind, port, exclusive: true }, resolve);
    });
    server.removeAllListeners("error");
    return new Port(server, handlers);
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #serve(connection: Socket): Promise<void> {
    const { tls } = this.#handlers;
    connection.on("error", () => {});
    const socket = tls === undefined ? connection : secured(connection, tls);
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#sockets.delete(socket);
      this.#silent.delete(socket);
    });
    this.#listenTo(socket);
    // It may be closed before it is asked.
    const from = connection.remoteAddress ?? "a host that is gone";
    try {
      const line = await readLine(socket, MOST_HELLO, HELLO_LIMIT);
      this.#silent.delete(socket);
      const hello = parseHello(line);
      if (hello.host !== undefined) await this.#handlers.greet(socket, line, hello);
      else this.#admit(socket, hello.ticket!);
    } catch (error) {
      this.#handlers.warnings.warn(`A connection from ${from} was refused: ${String(error)}`);
      socket.destroySoon();
    }
  }

  /** port.3. */
  #admit(socket: Socket, ticket: string): void {
    const serve = this.#handlers.redeem(ticket);
    socket.write(Uint8Array.of(serve === undefined ? TICKET_IS_UNKNOWN : TICKET_IS_GOOD));
    if (serve === undefined) throw new DmaBufError("EACCES", "Its ticket is not known, was used, or is too old");
    serve(socket);
  }

  /** port.2. */
  #listenTo(socket: Socket): void {
    this.#silent.add(socket);
    if (this.#silent.size <= MOST_SILENT) return;
    const [longest] = this.#silent;
    this.#silent.delete(longest!);
    longest!.destroy();
  }
}
