import type { Socket } from "node:net";
import type { JsonValue } from "../stream/metadata.js";
import type { TlsKey } from "./links/secure.js";

/** Another host, as long as it lives to this one. */
export interface Peer {
  /** Never given to another host. */
  readonly id: string;
  /** For people. */
  readonly name: string;
  /** Rises each time that the host comes back after it was silent for too long. */
  readonly incarnation: number;
  /** Aborts with a `DmaBufError` (`ESRCH`) when this incarnation is lost: its connection ended, or it was silent for too long. */
  readonly lost: AbortSignal;
  /**
   * Asks one of the peer's services.
   *
   * @param options `timeout` in milliseconds, default 5,000.
   * @throws {DmaBufError} What the service has failed with; `ESRCH` once the peer is lost; `ETIMEDOUT`; `ENOENT` if it has no such
   *   service.
   */
  ask(
    service: string,
    body: JsonValue,
    options?: { readonly timeout?: number; readonly signal?: AbortSignal },
  ): Promise<JsonValue>;
  /** Tells one of the peer's services something that needs no answer; nothing, once it is lost. */
  tell(service: string, body: JsonValue): void;
  /**
   * Opens a data connection by a ticket that the peer has issued, which it has sent in an answer. The socket is the caller's, and is
   * destroyed when the peer is lost.
   *
   * @param onread Where the bytes that come are put, as for `net.connect()`: it may be asked before the promise resolves. Without
   *   it the socket is an ordinary one, which is paused.
   * @throws {DmaBufError} `EACCES` if the ticket is not known, was used or is too old; `ECONNREFUSED`, `ESRCH`, `ETIMEDOUT`.
   */
  open(ticket: string, onread?: OnRead): Promise<Socket>;
}

/** As `net.OnReadOpts`. */
export interface OnRead {
  /** Where the next bytes go. */
  buffer(): Uint8Array;
  /** So many bytes came, at the beginning of that. Returning false pauses the socket. */
  callback(bytes: number): boolean;
}

/** What one host answers to others. Errors are told to the peer. */
export interface Service {
  readonly answer?: (peer: Peer, body: JsonValue) => JsonValue | Promise<JsonValue>;
  readonly hear?: (peer: Peer, body: JsonValue) => void;
}

/** All other hosts. */
export interface Peers {
  /** This host. */
  readonly self: { readonly id: string; readonly name: string; readonly incarnation: number };
  /** What data connections to this host are secured by, where it has TLS. */
  readonly ownTls?: TlsKey | undefined;
  /** Those that live to this one. */
  readonly all: readonly Peer[];
  /** Calls for each peer that is there and for each that comes, until what is returned is called. */
  onPeer(heard: (peer: Peer) => void): () => void;
  /**
   * The host of that id: where there is a directory it is looked for there, and connected to.
   *
   * @throws {DmaBufError} `ESRCH` if it is not there, which mostly is known at once; `ETIMEDOUT`. The signal's reason if it aborts.
   */
  reach(id: string, signal?: AbortSignal): Promise<Peer>;
  /** Answers under this name, on each peer's connection. */
  serve(name: string, service: Service): void;
  /**
   * A ticket for one data connection of this peer to this host: 32 random bytes in base64url. It is good once, for `limit`
   * milliseconds (default 5,000), and for this incarnation of the peer.
   *
   * @param serve Gets the socket when it has come, paused: nothing was read from it but its greeting.
   */
  issue(peer: Peer, serve: (socket: Socket) => void, limit?: number): string;
}
