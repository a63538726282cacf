import type { JsonValue } from "../../stream/metadata.js";
import type { Refusal } from "../../node/connecting/json-lines.js";
import type { HostInfo } from "../hosts-info.js";

/** Where member processes of a domain find their host's agent. */
export function agentPlace(domain: string): string {
  return `@dmabuf-hosts ${domain}`;
}

/** The first line of a member process. */
export const KNOCK = { hosts: 1 } as const;

/** What a member process says. */
export interface MemberLine {
  readonly call?: number;
  readonly name?: string;
  readonly body?: JsonValue;
  /** The call with this number is given up. */
  readonly cancel?: number;
}

/** What the agent says. */
export interface AgentLine {
  readonly answer?: number;
  readonly body?: JsonValue;
  readonly error?: Refusal;
  readonly self?: HostInfo;
  readonly others?: readonly HostInfo[];
}
