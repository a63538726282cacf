import { isCount, isName } from "../../arguments.js";
import { DmaBufError } from "../../errors.js";
import { printable } from "../../node/connecting/json-lines.js";
import { addressText, parseAddress } from "./address.js";

/** What one host tells another of itself when they connect. */
export interface HostFacts {
  /** Never given to another host. */
  readonly id: string;
  /** For people. */
  readonly name: string;
  /** Rises each time that the host has been silent for too long, and comes back. */
  readonly incarnation: number;
  /** Where it listens. */
  readonly address: string;
  /** Milliseconds of silence after which others are lost to it. */
  readonly limit: number;
  /** What data connections to it are secured by, if it has TLS. */
  readonly secret?: string;
}

const ID = /^[0-9a-f-]{36}$/;
/** 32 bytes in base64url. */
const SECRET = /^[\w-]{43}$/;
/** Milliseconds. */
export const LEAST_LIMIT = 50;
export const MOST_LIMIT = 600_000;

export function isHostId(value: unknown): value is string {
  return typeof value === "string" && ID.test(value);
}

/** @throws {DmaBufError} `EPROTO` if these are no facts. */
export function checkFacts(value: unknown): HostFacts {
  const { id, name, incarnation, address, limit, secret } = (value ?? {}) as Partial<Record<keyof HostFacts, unknown>>;
  const isFine =
    isHostId(id) &&
    isName(name) &&
    isCount(incarnation) &&
    incarnation > 0 &&
    typeof address === "string" &&
    parseAddress(address) !== undefined &&
    typeof limit === "number" &&
    limit >= LEAST_LIMIT &&
    limit <= MOST_LIMIT &&
    (secret === undefined || (typeof secret === "string" && SECRET.test(secret)));
  if (!isFine)
    throw new DmaBufError(
      "EPROTO",
      `What another host says of itself is damaged: ${printable({ ...(value as object), secret: undefined })}`,
    );
  return { id, name: name as string, incarnation, address, limit, ...(secret !== undefined && { secret }) };
}

const ANY = new Set(["0.0.0.0", "::"]);

/** A host that listens at all of its addresses is found at the one that it was met at. */
export function withAddress(facts: HostFacts, met: string | undefined): HostFacts {
  const address = parseAddress(facts.address)!;
  if (!ANY.has(address.host) || met === undefined) return facts;
  const { host } = parseAddress(met) ?? { host: met };
  return { ...facts, address: addressText({ ...address, host }) };
}
