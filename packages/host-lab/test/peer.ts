/** A party that the tests of the lab have talk to another one. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { answer, tell } from "../src/index.js";

let socket: Socket | undefined;
let received = 0;
let text = "";

answer({
  /** Sends back what comes. */
  async serve(place: string | number): Promise<number> {
    const server = createServer((other) => {
      other.on("error", () => {});
      other.pipe(other);
    });
    server.listen(place);
    await once(server, "listening");
    return typeof place === "string" ? 0 : (server.address() as AddressInfo).port;
  },

  async connect(to: { host: string; port: number } | { path: string }): Promise<void> {
    socket = connect(to);
    await once(socket, "connect");
    socket.on("error", ({ code }: NodeJS.ErrnoException) => tell("error", code));
    socket.on("close", () => tell("closed"));
    socket.on("data", (bytes) => {
      received += bytes.length;
      text += received < 65_536 ? bytes.toString("latin1") : "";
    });
  },

  /** Sends so many bytes, and waits until as many have come. Returns how many milliseconds it took. */
  async send(bytes: number): Promise<number> {
    const begin = performance.now();
    const until = received + bytes;
    socket!.write(Buffer.alloc(bytes, 7));
    while (received < until) await once(socket!, "data");
    return performance.now() - begin;
  },

  /** Sends a line; resolves when something has come that contains the expected. */
  async say({ line, expected }: { line: string; expected: string }): Promise<void> {
    socket!.write(`${line}\r\n`);
    while (!text.includes(expected)) await once(socket!, "data");
    text = "";
  },

  received: () => received,
});
