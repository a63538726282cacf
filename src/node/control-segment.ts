import { AGENT, checkSizes, Layout, readHeader, writeHeader, type Segment } from "../domain/layout.js";
import { randomFillSync } from "node:crypto";
import { fstatSync } from "node:fs";
import type { Sizes } from "../domain/layout.js";
import { DmaBufError } from "../errors.js";
import { createDomainFiles, type DomainFiles } from "./domain-files.js";
import { createProcessSubstrate, type ProcessSubstrate } from "./process-substrate.js";
import type { ResourceLedger } from "./resource-ledger.js";
import type { Substrate } from "../substrate/substrate.js";
import { pageSize, viewOf } from "./system-calls.js";

export interface ControlOptions {
  readonly ledger: ResourceLedger;
  readonly onSlice: () => void;
  /** Puts something between the domain and its memory: tests number the operations. */
  readonly wrapMemory?: ((memory: Substrate) => Substrate) | undefined;
}

/** A domain's control segment, mapped into this thread. */
export class ControlSegment implements Segment {
  readonly memory: Substrate;
  readonly layout: Layout;
  readonly files: DomainFiles;
  readonly #mapped: ProcessSubstrate;

  private constructor(files: DomainFiles, memory: ArrayBuffer, layout: Layout, options: ControlOptions) {
    const { onSlice, wrapMemory = (mapped) => mapped } = options;
    this.files = files;
    this.layout = layout;
    this.#mapped = createProcessSubstrate({ memory, doorbells: doorbellsOf(layout, files), onSlice });
    this.memory = wrapMemory(this.#mapped);
  }

  /** A new domain's. @throws {RangeError} Naming the option that is out of range. */
  static create(sizes: Partial<Sizes>, options: ControlOptions): ControlSegment {
    const layout = new Layout(checkSizes(sizes));
    const length = Math.ceil((layout.words * 4) / pageSize()) * pageSize();
    const files = createDomainFiles(length, layout.sizes.agents);
    const segment = new ControlSegment(files, mapControl(options.ledger, files, length), layout, options);
    writeHeader(segment.memory, layout.sizes, [...randomFillSync(new Int32Array(4))]);
    return segment;
  }

  /** A domain's that exists. @throws {DmaBufError} `EPROTO` if it is none, or of another version. */
  static open(files: DomainFiles, options: ControlOptions): ControlSegment {
    const memory = mapControl(options.ledger, files, fstatSync(files.control).size);
    const none = { slots: 0, bell: 0, sleepers: 0, stride: 1, pipeOf: () => -1 };
    using header = createProcessSubstrate({ memory, doorbells: none });
    const layout = readHeader(header);
    if (layout.sizes.agents === files.bells.length) return new ControlSegment(files, memory, layout, options);
    throw new DmaBufError(
      "EPROTO",
      `Cannot join the domain: it has room for ${layout.sizes.agents} agents, and doorbells for ${files.bells.length}`,
    );
  }

  /** As {@link ProcessSubstrate.listenAt}. */
  listenAt(slot: number, heard: () => void): void {
    this.#mapped.listenAt(slot, heard);
  }

  /** As {@link ProcessSubstrate.close}. */
  close(): void {
    this.#mapped.close();
  }
}

/**
 * The view stays whole as long as anybody refers to it: what is left of a domain may look at its words after it was
 * closed, as on threads.
 */
function mapControl(ledger: ResourceLedger, { control }: DomainFiles, length: number): ArrayBuffer {
  const entry = ledger.map({ fd: control, length, isWritable: true });
  const memory = viewOf(ledger.addressOf(entry), length);
  collected.register(memory, () => ledger.unmap(entry));
  return memory;
}

const collected = new FinalizationRegistry<() => void>((unmap) => unmap());

function doorbellsOf(layout: Layout, { bells }: DomainFiles) {
  return {
    slots: layout.sizes.agents,
    bell: layout.agent(0) + AGENT.DOORBELL,
    sleepers: layout.agent(0) + AGENT.SLEEPERS,
    stride: AGENT.WORDS,
    pipeOf: (slot: number) => bells[slot]!,
  };
}
