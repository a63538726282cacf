import { check, damagedField, handleTo } from "../arguments.js";
import { DmaBufError } from "../errors.js";
import type { Agent } from "./agent.js";
import { isIndex } from "./layout.js";
import { isInflight, type Inflight } from "./referenced-table.js";
import type { Sizes } from "./sizes.js";

/** What the handles of one kind name. */
export interface HandleKind {
  readonly kind: string;
  /** For messages: "syncobj". */
  readonly noun: string;
  /** How many slots the table has in which it is. */
  readonly slots: (sizes: Sizes) => number;
}

/** What a handle to something in a slot of shared memory has, whichever table that is of. */
export interface SlotHandle {
  readonly kind: string;
  readonly domain: string;
  readonly slot: number;
  readonly generation: number;
  /** The ticket of a handle that holds what it names while it is in flight. */
  readonly inflight?: Inflight;
}

/** @throws {DmaBufError} `EINVAL` if a handle is of another domain. @param what What it names, for messages. */
export function checkDomain(agent: Agent, domain: string, what: string): void {
  if (domain === agent.domain) return;
  throw new DmaBufError(
    "EINVAL",
    `Cannot import the ${what}: it belongs to domain ${String(domain)}, not ${agent.domain}`,
  );
}

/**
 * Checks what handles have in common; whether the slot still holds what the handle names is looked at when it is opened.
 *
 * @throws {DmaBufError} `EINVAL` if it is no such handle, damaged, or of another domain.
 */
export function checkHandle(agent: Agent, handle: SlotHandle, { kind, noun, slots }: HandleKind): void {
  checkFields(handle, kind, noun, slots(agent.layout.sizes));
  checkIntact(noun, { inflight: !("inflight" in handle) || isInflight(agent, handle.inflight) });
  checkDomain(agent, handle.domain, noun);
}

/** The part of {@link checkHandle} that needs no agent. */
export function checkFields(handle: SlotHandle, kind: string, noun: string, slots: number): void {
  const isKind = (value: unknown): boolean => (value as Partial<SlotHandle> | null | undefined)?.kind === kind;
  check("Domain.import()", "handle", handle, handleTo(`a ${noun}`, "its handle()", isKind));
  const { domain, slot, generation } = handle;
  checkIntact(noun, {
    domain: typeof domain === "string",
    slot: isIndex(slot, slots),
    generation: Number.isSafeInteger(generation),
  });
}

/** @throws {DmaBufError} `EINVAL` naming the first field of a handle that is not intact. */
export function checkIntact(noun: string, fields: Readonly<Record<string, boolean>>): void {
  const damaged = damagedField(fields);
  if (damaged === undefined) return;
  throw new DmaBufError("EINVAL", `Cannot import the ${noun}: "${damaged}" of its handle is damaged`);
}
