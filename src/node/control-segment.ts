import { AGENT, checkSizes, Layout, readHeader, writeHeader, type Segment } from "../domain/layout.js";
import { randomFillSync } from "node:crypto";
import { fstatSync } from "node:fs";
import type { Sizes } from "../domain/layout.js";
import { DmaBufError } from "../errors.js";
import { createDomainFiles, type DomainFiles } from "./domain-files.js";
import { createProcessSubstrate, type ProcessSubstrate } from "./process-substrate.js";
import type { ResourceLedger } from "./resource-ledger.js";
import type { Substrate } from "../substrate/substrate.js";
import { checkViewLength, pageSize, viewOf } from "./system-calls.js";

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
    const length = bytesOf(layout);
    checkViewLength(length, "Cannot make a domain of these sizes");
    const files = createDomainFiles(length, layout.sizes.agents);
    const segment = new ControlSegment(files, mapControl(options.ledger, files, length), layout, options);
    writeHeader(segment.memory, layout.sizes, [...randomFillSync(new Int32Array(4))]);
    return segment;
  }

  /** A domain's that exists. @throws {DmaBufError} `EPROTO` if it is none, or of another version. */
  static open(files: DomainFiles, options: ControlOptions): ControlSegment {
    const layout = layoutIn(files, options.ledger);
    if (layout.sizes.agents === files.bells.length) {
      return new ControlSegment(files, mapControl(options.ledger, files, bytesOf(layout)), layout, options);
    }
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

/** Whole pages. */
function bytesOf({ words }: Layout): number {
  return Math.ceil((words * 4) / pageSize()) * pageSize();
}

/**
 * The layout that the header tells of. Of a peer's file no more is mapped than that takes.
 *
 * @throws {DmaBufError} `EPROTO` if it is none, of another version, or does not fit the file.
 */
function layoutIn(files: DomainFiles, ledger: ResourceLedger): Layout {
  const none = { slots: 0, bell: 0, sleepers: 0, stride: 1, pipeOf: () => -1 };
  using header = createProcessSubstrate({ memory: mapControl(ledger, files, pageSize()), doorbells: none });
  return readHeader(header, Math.floor(fstatSync(files.control).size / 4));
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
