import { readSync } from "node:fs";
import { domainName } from "../../domain/header.js";
import { HEADER, type Layout, type Segment } from "../../domain/layout.js";
import { protocolOn } from "../../domain/segment-protocol.js";
import { DmaBufError } from "../../errors.js";
import type { Protocol } from "../../protocol/protocol.js";
import { createReadOnlySubstrate, type ReadOnlySubstrate } from "../../substrate/read-only.js";
import { bytesOf, isMade, layoutIn } from "../joining/control-segment.js";
import { hasFixedLength } from "../joining/domain-files.js";
import type { LedgerEntry, ResourceLedger } from "../resources/resource-ledger.js";
import { threadLedger } from "../resources/thread-ledger.js";
import { viewOf } from "../system-calls/index.js";
import type { DomainFound } from "./find-domains.js";
import { openFirst } from "./processes.js";

/** A domain's control segment, which can only be read, and its register, which shows who lives. */
export class ObservedSegment implements Segment {
  readonly memory: ReadOnlySubstrate;
  readonly layout: Layout;
  readonly protocol: Protocol;
  /** What `/proc` calls the register. */
  readonly registerName: string;
  readonly #ledger: ResourceLedger;
  readonly #register: LedgerEntry;
  readonly #mapping: LedgerEntry;
  #isClosed = false;

  private constructor(registerName: string, register: LedgerEntry, [layout, mapping]: [Layout, LedgerEntry]) {
    const ledger = (this.#ledger = threadLedger());
    this.registerName = registerName;
    this.layout = layout;
    this.#register = register;
    this.#mapping = mapping;
    this.memory = createReadOnlySubstrate(viewOf(ledger.addressOf(mapping), bytesOf(layout)));
    this.protocol = protocolOn(this.memory, layout);
  }

  /**
   * @returns `undefined` if there is no domain: it is not made yet, or was closed since it was found (domain-observer.4).
   * @throws {DmaBufError} `EACCES`; `EPROTO` if the domain is of another layout version, or what is there is none.
   */
  static open({ controls, registers }: DomainFound): ObservedSegment | undefined {
    const ledger = threadLedger();
    const register = openFirst(registers, ledger);
    if (register === undefined) return undefined;
    let segment: ObservedSegment | undefined;
    try {
      const control = openFirst(controls, ledger);
      if (control === undefined) return undefined;
      try {
        const action = `Cannot observe process ${control.file.pid}`;
        const mapping = mapped(ledger, ledger.descriptorOf(control.entry), action);
        if (mapping !== undefined) segment = new ObservedSegment(register.file.name, register.entry, mapping);
        return segment;
      } finally {
        // The mapping stays.
        ledger.close(control.entry);
      }
    } finally {
      if (segment === undefined) ledger.close(register.entry);
    }
  }

  /** The domain's, as its handles name it. */
  get domain(): string {
    return domainName(this.memory);
  }

  /** A descriptor of the register. */
  get register(): number {
    return this.#ledger.descriptorOf(this.#register);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.memory.close();
    this.#ledger.unmap(this.#mapping);
    this.#ledger.close(this.#register);
  }
}

/** The version of a domain's layout, whatever else its control segment holds; nothing if it cannot be read. */
export function versionOf({ controls }: DomainFound): number | undefined {
  const words = new Int32Array(HEADER.VERSION + 1);
  const ledger = threadLedger();
  const control = openFirst(controls, ledger);
  if (control === undefined) return undefined;
  try {
    const length = readSync(ledger.descriptorOf(control.entry), words, 0, words.byteLength, 0);
    return length < words.byteLength ? undefined : words[HEADER.VERSION];
  } finally {
    ledger.close(control.entry);
  }
}

/** @returns `undefined` if the domain is not made yet. */
function mapped(ledger: ResourceLedger, fd: number, action: string): [Layout, LedgerEntry] | undefined {
  if (!isMade(fd)) return undefined;
  // A file that is cut short under a mapping ends the process that reads there.
  if (!hasFixedLength(fd)) throw new DmaBufError("EPROTO", `${action}: its control segment has no fixed length`);
  const layout = layoutIn(fd, action);
  return [layout, ledger.map({ fd, length: bytesOf(layout), isWritable: false })];
}
