import type { Socket } from "node:net";

/** The descriptor of a socket: Node.js has no other way to the number. */
export function descriptorOf(connection: Socket): number {
  return (connection as unknown as { readonly _handle: { readonly fd: number } })._handle.fd;
}
