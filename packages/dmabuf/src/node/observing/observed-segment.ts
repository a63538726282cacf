import { constants } from "node:fs";
import { allOrNothing } from "../../all-or-nothing.js";
import { domainName } from "../../domain/header.js";
import type { Layout, Segment } from "../../domain/layout.js";
import { DmaBufError } from "../../errors.js";
import { createReadOnlySubstrate, type ReadOnlySubstrate } from "../../substrate/read-only.js";
import { bytesOf, layoutIn } from "../joining/control-segment.js";
import { hasFixedLength } from "../joining/domain-files.js";
import type { LedgerEntry, ResourceLedger } from "../resources/resource-ledger.js";
import { threadLedger } from "../resources/thread-ledger.js";
import { openFile, viewOf } from "../system-calls/index.js";
import type { DomainFound } from "./find-domains.js";
import { lookInto, pathOf, type ProcessDescriptor } from "./processes.js";

/** A domain's control segment, which can only be read, and its register, which shows who lives. */
export class ObservedSegment implements Segment {
  readonly memory: ReadOnlySubstrate;
  readonly layout: Layout;
  /** What `/proc` calls the register. */
  readonly registerName: string;
  readonly #ledger: ResourceLedger;
  readonly #register: LedgerEntry;
  readonly #mapping: LedgerEntry;
  #isClosed = false;

  /**
   * @throws {DmaBufError} `EACCES`; `ESRCH` if the process has just ended; `EPROTO` if the domain is of another layout
   *   version, or what is there is none.
   */
  constructor({ control, register }: DomainFound) {
    const ledger = (this.#ledger = threadLedger());
    const open = (file: ProcessDescriptor): LedgerEntry =>
      lookInto(file.pid, () => ledger.open(() => openFile(pathOf(file), "read", constants.O_NONBLOCK)));
    this.registerName = register.name;
    this.#register = open(register);
    [this.layout, this.#mapping] = allOrNothing((orUndo) => {
      orUndo(() => ledger.close(this.#register));
      const file = open(control);
      try {
        return mapped(ledger, ledger.descriptorOf(file), `Cannot observe process ${control.pid}`);
      } finally {
        // The mapping stays.
        ledger.close(file);
      }
    });
    this.memory = createReadOnlySubstrate(viewOf(ledger.addressOf(this.#mapping), bytesOf(this.layout)));
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

function mapped(ledger: ResourceLedger, fd: number, action: string): [Layout, LedgerEntry] {
  // A file that is cut short under a mapping ends the process that reads there.
  if (!hasFixedLength(fd)) throw new DmaBufError("EPROTO", `${action}: its control segment has no fixed length`);
  const layout = layoutIn(fd, action);
  return [layout, ledger.map({ fd, length: bytesOf(layout), isWritable: false })];
}
