import type { connect as Connect, NatsConnection } from "@nats-io/transport-node";
import { DmaBufError, textOf, type ErrorCode } from "../../errors.js";

/** How a host connects to NATS. */
export interface NatsOptions {
  readonly servers: readonly string[];
  /** For people who look at the server. */
  readonly name: string;
  /** Those of the client's own `connect()`. */
  readonly more: object;
}

/** Milliseconds between two tries to connect again, and between two looks whether the server answers. */
const TRY_AGAIN = 250;
const PING_EVERY = 2_000;

/**
 * Connects to one of the servers, and again whenever the connection is lost.
 *
 * @throws {DmaBufError} `ENOENT` if the client is not installed; `ECONNREFUSED`, `EACCES`, `ETIMEDOUT` and others.
 */
export async function connectNats({ servers, name, more }: NatsOptions): Promise<NatsConnection> {
  const { connect } = await loadClient();
  try {
    return await connect({
      name,
      maxReconnectAttempts: -1,
      reconnectTimeWait: TRY_AGAIN,
      reconnectJitter: TRY_AGAIN,
      pingInterval: PING_EVERY,
      ...more,
      servers: [...servers],
    });
  } catch (cause) {
    const message = `Cannot connect to NATS at ${servers.join(", ")}: ${messageOf(cause)}`;
    throw new DmaBufError(natsCode(cause), message, { cause });
  }
}

async function loadClient(): Promise<{ connect: typeof Connect }> {
  try {
    return await import("@nats-io/transport-node");
  } catch (cause) {
    const how = "npm install @nats-io/transport-node @nats-io/jetstream";
    throw new DmaBufError("ENOENT", `Cannot connect to NATS: its client is not installed: ${how}`, { cause });
  }
}

const CODES: Readonly<Record<string, ErrorCode>> = {
  AuthorizationError: "EACCES",
  UserAuthenticationExpiredError: "EACCES",
  PermissionViolationError: "EACCES",
  TimeoutError: "ETIMEDOUT",
  NoResponders: "ESRCH",
  ClosedConnectionError: "ESRCH",
  DrainingConnectionError: "ESRCH",
};

/** The errno name of an error of the client's. */
export function natsCode(error: unknown): ErrorCode {
  if (!(error instanceof Error)) return "EIO";
  const { code } = error as { readonly code?: unknown };
  if (code === "ECONNREFUSED" || code === "ECONNRESET" || code === "ETIMEDOUT") return code;
  return CODES[error.name] ?? natsCode(error.cause);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : textOf(error);
}
