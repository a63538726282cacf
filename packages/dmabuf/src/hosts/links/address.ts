import { isIP } from "node:net";
import type { Kind } from "../../arguments.js";

/** Where a host listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

const MOST_BYTES = 128;
const FORM = /^(?:\[([0-9A-Fa-f:.]+(?:%\w+)?)\]|([\w.-]+)):(\d{1,5})$/;

/** `10.0.0.1:7400`, `[fd00::1]:7400` or `name:7400`; `undefined` for what is none. */
export function parseAddress(text: string): Address | undefined {
  const match = text.length > MOST_BYTES ? null : FORM.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65_535) return undefined;
  return { host: match[1] ?? match[2]!, port };
}

export function addressText({ host, port }: Address): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

/** An argument that says where another host is. */
export const ADDRESS: Kind = {
  wanted: 'an address and a port, such as "10.0.0.1:7400"',
  isKind: (value) => typeof value === "string",
  isTaken: (text: string) => parseAddress(text) !== undefined,
};
