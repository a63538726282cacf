import type { Socket } from "node:net";
import { DmaBufError } from "../../errors.js";
import { refuse, sendLine } from "../connecting/json-lines.js";
import { endConnection } from "../resources/let-go.js";
import { descriptorOf } from "../resources/socket-descriptor.js";

/** Says something to a visitor. One whose socket takes nothing does not read, and loses its connection. */
export function sayOrEnd(connection: Socket, line: object, descriptors: readonly number[] = []): void {
  if (connection.destroyed) return;
  try {
    sendLine(descriptorOf(connection), line, descriptors);
  } catch {
    endConnection(connection);
  }
}

/** Hears a visitor. One that says what it should not is told why it loses its connection. */
export function answered(connection: Socket, hear: () => void): void {
  try {
    hear();
  } catch (error) {
    endWith(connection, error instanceof DmaBufError ? error : new DmaBufError("EIO", String(error)));
  }
}

/** Ends the connection of a visitor, with the reason. */
export function endWith(connection: Socket, error: DmaBufError): void {
  if (connection.destroyed) return;
  refuse(descriptorOf(connection), error);
  endConnection(connection);
}
