import { connect, type Socket } from "node:net";
import { connect as connectByTls } from "node:tls";
import { codeOf, DmaBufError } from "../../errors.js";
import type { OnRead } from "../peers.js";
import { parseAddress } from "./address.js";
import { HOSTS_VERSION } from "./handshake.js";
import { TICKET_IS_GOOD } from "./port.js";
import { notSecured, TLS_OPTIONS, type TlsKey } from "./secure.js";
import { readByte } from "./read-line.js";

/** Milliseconds for connecting, and for the answer. */
const OPEN_LIMIT = 5_000;

/** How a socket is connected. */
export interface Dial {
  readonly address: string;
  /** Milliseconds. */
  readonly limit: number;
  readonly signal: AbortSignal;
  /** Where what comes is put. */
  readonly onread?: OnRead | undefined;
  /** The key of TLS, where that is used. */
  readonly tls: TlsKey | undefined;
}

/**
 * A socket that is connected, for whatever comes first. Its errors are heard: they show in its end.
 *
 * @throws {DmaBufError} `ECONNREFUSED`, `ETIMEDOUT` and others, as of the system; `EPROTO` if there is no TLS by that key;
 *   `ECANCELED` if the signal aborts.
 */
export function connectTo({ address, limit, signal, onread, tls }: Dial): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = dial(address, onread, tls);
    const fail = (error: DmaBufError): void => {
      done();
      socket.destroy();
      reject(error);
    };
    const cancel = (): void => fail(new DmaBufError("ECANCELED", `Cannot connect to ${address}: it was given up`));
    const timer = setTimeout(() => {
      fail(new DmaBufError("ETIMEDOUT", `Cannot connect to ${address}: no answer in ${limit} ms`));
    }, limit);
    const failed = (cause: Error & { readonly syscall?: string }): void => {
      if (tls !== undefined && cause.syscall !== "connect") return fail(notSecured(address, cause));
      fail(new DmaBufError(codeOf(cause), `Cannot connect to ${address}: ${cause.message}`, { cause }));
    };
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", cancel);
      socket.off("error", failed);
    };
    socket.on("error", () => {});
    socket.on("error", failed);
    socket.once(tls === undefined ? "connect" : "secureConnect", () => {
      done();
      resolve(socket);
    });
    if (signal.aborted) cancel();
    else signal.addEventListener("abort", cancel, { once: true });
  });
}

function dial(address: string, onread: OnRead | undefined, tls: TlsKey | undefined): Socket {
  const { host, port } = parseAddress(address)!;
  const options = { host, port, noDelay: true, keepAlive: true, ...(onread && { onread }) };
  if (tls === undefined) return connect(options);
  return connectByTls({
    ...options,
    ...TLS_OPTIONS,
    pskCallback: () => tls,
    // There are no certificates: both sides know the key.
    checkServerIdentity: () => undefined,
  });
}

/**
 * Opens a data connection by a ticket.
 *
 * @param onread Where the bytes behind the answer are put. Without it the socket is an ordinary one, which is paused.
 * @throws {DmaBufError} `EACCES` if the ticket is unknown; otherwise as {@link connectTo}.
 */
export async function openData(
  address: string,
  ticket: string,
  tls: TlsKey | undefined,
  signal: AbortSignal,
  onread?: OnRead,
): Promise<Socket> {
  const answered = onread && withAnswer(onread);
  const socket = await connectTo({ address, limit: OPEN_LIMIT, signal, onread: answered?.onread, tls });
  const cancel = (): void => void socket.destroy();
  signal.addEventListener("abort", cancel, { once: true });
  socket.once("close", () => signal.removeEventListener("abort", cancel));
  try {
    socket.write(`${JSON.stringify({ dmabuf: HOSTS_VERSION, ticket })}\n`);
    const byte = await (answered === undefined ? readByte(socket, OPEN_LIMIT) : answered.answer(socket));
    if (byte !== TICKET_IS_GOOD) {
      throw new DmaBufError("EACCES", `Cannot open a connection to ${address}: its ticket is not known there`);
    }
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

interface Answered {
  readonly onread: OnRead;
  readonly answer: (socket: Socket) => Promise<number>;
}

/** The first byte is the answer: it has a buffer of its own, of that one byte, so that the next go where they belong. */
function withAnswer(own: OnRead): Answered {
  const first = new Uint8Array(1);
  let hear: ((byte: number) => void) | undefined;
  let isHeard = false;
  const onread: OnRead = {
    buffer: () => (isHeard ? own.buffer() : first),
    callback(bytes) {
      if (isHeard) return own.callback(bytes);
      isHeard = true;
      hear?.(first[0]!);
      return true;
    },
  };
  const answer = (socket: Socket): Promise<number> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new DmaBufError("ETIMEDOUT", `Cannot open a connection: no answer in ${OPEN_LIMIT} ms`));
      }, OPEN_LIMIT);
      hear = (byte) => {
        clearTimeout(timer);
        resolve(byte);
      };
      const ended = (): void => {
        clearTimeout(timer);
        reject(new DmaBufError("ECONNRESET", "Cannot open a connection: the other side has hung up"));
      };
      socket.once("close", ended).once("end", ended);
      if (isHeard) hear(first[0]!);
    });
  return { onread, answer };
}
