import type { Socket } from "node:net";
import { DmaBufError } from "../../errors.js";

const NEWLINE = 0x0a;

/**
 * The next line of a socket that none reads from yet. What has come behind it stays in the socket, which is paused.
 *
 * @param most Bytes without the line's end.
 * @param limit Milliseconds.
 * @throws {DmaBufError} `ETIMEDOUT`; `EPROTO` for a longer line; `ECONNRESET` if the connection ends.
 */
export async function readLine(socket: Socket, most: number, limit: number): Promise<string> {
  return (
    await readUntil(socket, limit, (bytes) => {
      const end = bytes.indexOf(NEWLINE);
      if (end > most || (end < 0 && bytes.length > most)) {
        throw new DmaBufError("EPROTO", `Cannot read a line of more than ${most} bytes`);
      }
      return end < 0 ? undefined : end + 1;
    })
  )
    .toString("utf8")
    .slice(0, -1);
}

/** The next byte, as {@link readLine}. */
export async function readByte(socket: Socket, limit: number): Promise<number> {
  return (await readUntil(socket, limit, (bytes) => (bytes.length > 0 ? 1 : undefined)))[0]!;
}

/** @param lengthOf How many of the bytes belong to what is read, once that is known. */
function readUntil(socket: Socket, limit: number, lengthOf: (bytes: Buffer) => number | undefined): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0);
    const done = (): void => {
      clearTimeout(timer);
      socket.off("readable", look).off("end", ended).off("close", ended);
      socket.pause();
    };
    const fail = (error: Error): void => {
      done();
      reject(error);
    };
    const look = (): void => {
      try {
        const more = socket.read() as Buffer | null;
        if (more === null) return;
        bytes = Buffer.concat([bytes, more]);
        const length = lengthOf(bytes);
        if (length === undefined) return;
        done();
        if (length < bytes.length) socket.unshift(bytes.subarray(length));
        resolve(bytes.subarray(0, length));
      } catch (error) {
        fail(error as Error);
      }
    };
    const ended = (): void => fail(new DmaBufError("ECONNRESET", "The other side has hung up"));
    const timer = setTimeout(() => {
      fail(new DmaBufError("ETIMEDOUT", `The other side has said nothing for ${limit} ms`));
    }, limit);
    if (socket.destroyed) return ended();
    socket.on("readable", look).on("end", ended).on("close", ended);
    // What is there already tells of itself only once it is asked for.
    look();
  });
}
