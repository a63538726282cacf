import { hkdfSync } from "node:crypto";
import type { Socket } from "node:net";
import { createSecureContext, TLSSocket } from "node:tls";
import { DmaBufError } from "../../errors.js";

/**
 * TLS between hosts, without certificates: both sides know a key.
 *
 * secure.1. A control connection has a key that is made of the one that all hosts share, or the secret that the other host's answer by
 *      NATS has told. Each data connection has the secret that the other host has told on the control connection, or when that began.
 * secure.2. The secret of a host is 32 random bytes, and is told only through TLS, or by NATS to the one that asks for a ticket.
 * secure.3. What is recorded cannot be read by one that learns the key later: each connection agrees upon keys of its own.
 */

/** A key, and which one it is. */
export interface TlsKey {
  readonly identity: "key" | "host";
  readonly psk: Buffer;
}

/** secure.3. */
const CIPHERS = "ECDHE-PSK-CHACHA20-POLY1305";
const VERSION = "TLSv1.2";

/** What both sides of a connection are told. */
export const TLS_OPTIONS = { ciphers: CIPHERS, minVersion: VERSION, maxVersion: VERSION } as const;

export function sharedTlsKey(key: string): TlsKey {
  return { identity: "key", psk: Buffer.from(hkdfSync("sha256", key, "dmabuf hosts", "tls", 32)) };
}

export function hostTlsKey(secret: string): TlsKey {
  return { identity: "host", psk: Buffer.from(secret, "base64url") };
}

/** A connection that has come, as one that is read and written through TLS by one of these keys. */
export function secured(socket: Socket, keys: readonly TlsKey[]): Socket {
  const secureContext = createSecureContext(TLS_OPTIONS);
  const pskCallback = (_socket: TLSSocket, identity: string): Buffer | null =>
    keys.find((key) => key.identity === identity)?.psk ?? null;
  const options = { isServer: true, secureContext, pskCallback } as ConstructorParameters<typeof TLSSocket>[1];
  const wrapped = new TLSSocket(socket, options);
  socket.once("close", () => wrapped.destroy());
  return wrapped;
}

/** What a connection has failed with before it was secured. */
export function notSecured(address: string, cause: Error & { readonly reason?: string }): DmaBufError {
  const why = cause.reason ?? cause.message;
  const hint = 'do both hosts have the option "tls", and the same key?';
  return new DmaBufError("EPROTO", `Cannot connect to ${address} by TLS: ${why}: ${hint}`, { cause });
}
