import { isName } from "../../arguments.js";
import { DmaBufError } from "../../errors.js";
import { POLICY, type Policy } from "../../stream/stream-slot.js";
import { printable } from "../connecting/json-lines.js";

/**
 * What visitors and those that serve them say first. A visitor is a process that is no member of a domain: a viewer, which
 * looks at frames, or a contributor, which fills them. docs/protocol.md has every word.
 *
 * visitor-words.1. Each side says its version of the protocol. What is said in another one is not looked at, but refused
 *      with both versions.
 * visitor-words.2. A visitor says what it wants to be. One that has come to the wrong place is told what is served there.
 */

/** Of the protocol. */
const VISITOR_VERSION = 1;

/** What a visitor can be. */
export type VisitorKind = "viewer" | "contributor";

/** What a visitor wants; all of it is optional. */
export interface Wishes {
  /** For people. */
  readonly name?: string | undefined;
  /** A viewer's. */
  readonly policy?: Policy | undefined;
  /** A viewer's. */
  readonly group?: string | undefined;
}

/** The first line of a visitor. */
export function helloOf(kind: VisitorKind, { name, policy, group }: Wishes): object {
  return { visitor: VISITOR_VERSION, as: kind, name, policy, group };
}

/** The first line of a server. */
export function greetingOf<T extends object>(served: T): { readonly visitor: number } & T {
  return { visitor: VISITOR_VERSION, ...served };
}

/**
 * Looks at the first line of a visitor.
 *
 * @param kind What is served here.
 * @throws {DmaBufError} `EPROTO` if it is none of such a visitor.
 */
export function readHello(line: object, kind: VisitorKind): Wishes {
  const { visitor, as, name, policy, group } = line as Readonly<Record<string, unknown>>;
  if (typeof visitor !== "number") {
    throw refusal(`what is no visitor: ${kind}s are served here, and no domain can be joined`);
  }
  checkVersion(visitor, "Cannot serve the visitor");
  if (as !== kind) throw refusal(`a visitor as ${printable(as)}: ${kind}s are served here`);
  if (name !== undefined && !(typeof name === "string" && isName(name))) throw refusal("a visitor with such a name");
  if (policy !== undefined && !POLICY.isKind(policy)) throw refusal(`a viewer with the policy ${printable(policy)}`);
  if (group !== undefined && !(typeof group === "string" && isName(group))) throw refusal("a viewer of such a group");
  return { name, policy: policy as Policy | undefined, group };
}

/** @throws {DmaBufError} `EPROTO` with both versions, if the other side speaks another one. */
export function checkVersion(version: unknown, action: string): void {
  if (version === VISITOR_VERSION) return;
  const other = typeof version === "number" ? `version ${version}` : "no version";
  const text = `${action}: it speaks ${other} of the protocol of visitors, and this process version ${VISITOR_VERSION}`;
  throw new DmaBufError("EPROTO", text);
}

function refusal(what: string): DmaBufError {
  return new DmaBufError("EPROTO", `Cannot serve ${what}`);
}
