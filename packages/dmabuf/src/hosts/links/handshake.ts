import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Socket } from "node:net";
import { DmaBufError, textOf } from "../../errors.js";
import { printable, remoteError } from "../../node/connecting/json-lines.js";
import { checkFacts, type HostFacts } from "./facts.js";
import { readLine } from "./read-line.js";

/**
 * How two hosts begin a control connection: four lines, of which each has a length limit and comes in time.
 *
 * handshake.1. The one that connects says who it is, with a number of its own that is used once: the hello. The other answers
 *      in the same way, and proves that it knows the secret: the shared key, or the ticket that the hello shows. Then the
 *      first one proves it, and is welcomed.
 * handshake.2. A proof is an HMAC-SHA256 of the two lines that were said, under the name of the side that gives it: neither an
 *      earlier proof nor the other side's own is one.
 * handshake.3. Hosts of another cluster, and of another version of what is said here, are told so.
 * handshake.4. A host that has a link to the other one, or that is the other one itself, does not go on. Whichever side refuses the
 *      other one proves itself before: what is said without a proof changes nothing at the other side.
 * handshake.5. When both connect at the same time, the connection that the host of the smaller id has opened is used. It
 *      refuses the other's once it has given its proof; until then it takes the other's, and gives up its own (handshake.4).
 * handshake.6. A host that proves itself although there was a link to it when it was answered has lost that link (handshake.4),
 *      and gets another one. A link that was made since says nothing of the kind, as its proof may be older: the link stays.
 */

/** The version of what hosts say to each other. */
export const HOSTS_VERSION = 1;

/** Bytes of a hello, and of each other line before the connection is one. */
export const MOST_HELLO = 512;
/** Milliseconds for each of them. */
export const HELLO_LIMIT = 1_000;

/** The first line of each connection. */
export interface Hello {
  readonly dmabuf: number;
  /** Of a control connection: who connects. */
  readonly host?: HostFacts;
  readonly cluster?: string;
  readonly nonce?: string;
  /** What lets it in: of each data connection; and of a control connection that is not let in by the shared key. */
  readonly ticket?: string;
}

/** What this side says, and how it decides. */
export interface Approach {
  readonly self: HostFacts;
  readonly cluster: string;
  /** What both sides know. */
  readonly secret: string | Uint8Array;
  /** Looks at the other one. @throws {DmaBufError} Why it is not to be connected to. */
  readonly decide: (other: HostFacts) => void;
}

/** @throws {DmaBufError} `EPROTO` if this is no hello. */
export function parseHello(line: string): Hello {
  const hello = parse(line) as Partial<Record<keyof Hello, unknown>>;
  const { dmabuf, host, cluster, nonce, ticket } = hello;
  const isText = (value: unknown): boolean => value === undefined || typeof value === "string";
  if (typeof dmabuf !== "number" || ![cluster, nonce, ticket].every(isText)) throw noHello(line);
  if (host === undefined ? ticket === undefined : nonce === undefined || cluster === undefined) throw noHello(line);
  return hello as Hello;
}

function noHello(line: string): DmaBufError {
  return new DmaBufError("EPROTO", `Cannot understand the hello "${printable(line.slice(0, 80))}"`);
}

/**
 * Connects to a host, over a socket that is connected.
 *
 * @param ticket What was issued for this, and is the secret then.
 * @throws {DmaBufError} What the other one refuses with; `EACCES` if it does not prove that it knows the secret; what `decide`
 *   throws; `EPROTO`, `ETIMEDOUT`, `ECONNRESET`.
 */
export async function approach(socket: Socket, ticket: string | undefined, terms: Approach): Promise<HostFacts> {
  const { self, cluster, secret, decide } = terms;
  const hello = JSON.stringify({ dmabuf: HOSTS_VERSION, cluster, nonce: nonce(), host: self, ticket } satisfies {
    [Name in keyof Hello]: unknown;
  });
  socket.write(`${hello}\n`);
  const line = await readLine(socket, MOST_HELLO, HELLO_LIMIT);
  const space = line.indexOf(" ");
  if (line.startsWith("{") || space < 0) throw refusalOf(line);
  const answer = line.slice(space + 1);
  checkProof(line.slice(0, space), "answer", secret, hello, answer);
  const other = checkFacts((parse(answer) as Hello).host);
  const own = proof("hello", secret, hello, answer);
  try {
    decide(other);
  } catch (error) {
    socket.end(`${own} ${refusalText(error)}\n`);
    throw error;
  }
  socket.write(`${own}\n`);
  const welcome = await readLine(socket, MOST_HELLO, HELLO_LIMIT);
  if (welcome !== WELCOME) throw refusalOf(welcome);
  return other;
}

/**
 * Answers a host that has connected.
 *
 * @param line The hello, as it came.
 * @throws {DmaBufError} Why it was refused, which it was told.
 */
export async function answer(socket: Socket, line: string, hello: Hello, terms: Approach): Promise<HostFacts> {
  const { self, cluster, secret, decide } = terms;
  try {
    checkKind(hello, cluster);
    const other = checkFacts(hello.host);
    const own = JSON.stringify({ dmabuf: HOSTS_VERSION, nonce: nonce(), host: self });
    socket.write(`${proof("answer", secret, line, own)} ${own}\n`);
    const proved = await readLine(socket, MOST_HELLO, HELLO_LIMIT);
    const space = proved.indexOf(" ");
    checkProof(space < 0 ? proved : proved.slice(0, space), "hello", secret, line, own);
    if (space >= 0) throw refusalOf(proved.slice(space + 1));
    decide(other);
    socket.write(`${WELCOME}\n`);
    return other;
  } catch (error) {
    refuse(socket, error);
    throw error;
  }
}

/** Tells why not, and ends the connection. */
export function refuse(socket: Socket, error: unknown): void {
  socket.end(`${refusalText(error)}\n`);
}

function refusalText(error: unknown): string {
  const known = error instanceof DmaBufError ? error : new DmaBufError("EPROTO", textOf(error));
  const { code, message } = known.toPlain();
  return JSON.stringify({ code, message: message.slice(0, 200) });
}

/** handshake.3. */
function checkKind({ dmabuf, cluster }: Hello, own: string): void {
  if (dmabuf !== HOSTS_VERSION) {
    throw new DmaBufError("EPROTO", `Hosts here say version ${HOSTS_VERSION}, and the one that connects ${dmabuf}`);
  }
  if (cluster !== own) throw new DmaBufError("EACCES", `The host is of cluster ${JSON.stringify(own)}`);
}

const WELCOME = "welcome";

function nonce(): string {
  return randomBytes(16).toString("base64url");
}

/** handshake.2. */
function proof(side: "hello" | "answer", secret: string | Uint8Array, hello: string, answered: string): string {
  return createHmac("sha256", secret).update(`dmabuf ${side}\n${hello}\n${answered}`).digest("base64url");
}

function checkProof(
  given: string,
  side: "hello" | "answer",
  secret: string | Uint8Array,
  hello: string,
  answered: string,
): void {
  const wanted = Buffer.from(proof(side, secret, hello, answered));
  const came = Buffer.from(given);
  if (came.length === wanted.length && timingSafeEqual(came, wanted)) return;
  throw new DmaBufError("EACCES", "The other host does not know the key");
}

function refusalOf(line: string): DmaBufError {
  try {
    return remoteError("The other host", parse(line));
  } catch {
    return new DmaBufError("EPROTO", `Cannot understand the answer "${printable(line.slice(0, 80))}"`);
  }
}

function parse(line: string): object {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // As below.
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw noHello(line);
}
