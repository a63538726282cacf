import { allOrNothing } from "../../all-or-nothing.js";
import { hasVersion, readHeader, writeHeader } from "../../domain/header.js";
import { AGENT, checkSizes, Layout, type Segment } from "../../domain/layout.js";
import { absentTables } from "../../domain/shared-features.js";
import { without } from "../../domain/sizes.js";
import { randomFillSync } from "node:crypto";
import { fstatSync, readSync } from "node:fs";
import type { Sizes } from "../../domain/layout.js";
import { DmaBufError } from "../../errors.js";
import { protocolOn } from "../../domain/segment-protocol.js";
import type { Protocol } from "../../protocol/protocol.js";
import { mapControl, type ControlMapping } from "./control-mapping.js";
import { createDomainFiles, type DomainFiles } from "./domain-files.js";
import { createProcessSubstrate, type ProcessSubstrate } from "../waiting/process-substrate.js";
import { leaveLedger } from "../resources/process-ledgers.js";
import type { ResourceLedger } from "../resources/resource-ledger.js";
import { createSharedSubstrate } from "../../substrate/shared-array.js";
import type { Substrate } from "../../substrate/substrate.js";
import { checkViewLength, pageSize } from "../system-calls/index.js";

/** What is between a domain that this thread enters and its memory: nothing, but in tests. */
export const memoryHook = { wrap: (memory: Substrate): Substrate => memory };

/** A domain's control segment, mapped into this thread. */
export class ControlSegment implements Segment {
  readonly memory: Substrate;
  readonly layout: Layout;
  readonly protocol: Protocol;
  readonly files: DomainFiles;
  readonly #mapped: ProcessSubstrate;
  #mapping: ControlMapping | undefined;
  #onSlice = (): void => {};

  private constructor(files: DomainFiles, mapping: ControlMapping, layout: Layout) {
    const { memory } = mapping;
    this.#mapping = mapping;
    this.files = files;
    this.layout = layout;
    const onSlice = (): void => this.#onSlice();
    this.#mapped = createProcessSubstrate({ memory, doorbells: doorbellsOf(layout, files), onSlice });
    this.memory = memoryHook.wrap(this.#mapped);
    this.protocol = protocolOn(this.memory, layout);
  }

  /** A new domain's. @param features Bits of those that every member must know. @throws {RangeError} Naming the option that is out of range. */
  static create(sizes: Partial<Sizes>, features: number, ledger: ResourceLedger): ControlSegment {
    const layout = new Layout(without(checkSizes(sizes), absentTables(features)));
    const length = bytesOf(layout);
    checkViewLength(length, "Cannot make a domain of these sizes");
    return allOrNothing((orUndo) => {
      const files = createDomainFiles(length, layout.sizes.agents);
      orUndo(() => leaveLedger(files.ledger));
      const segment = new ControlSegment(files, mapControl(ledger, files.control, length), layout);
      writeHeader(segment.memory, layout.sizes, [...randomFillSync(new Int32Array(4))], features);
      return segment;
    });
  }

  /** A domain's that exists. @throws {DmaBufError} `EPROTO` if it is none, or of another version. */
  static open(files: DomainFiles, ledger: ResourceLedger): ControlSegment {
    const layout = layoutIn(files.control);
    if (layout.sizes.agents === files.bells.length) {
      return new ControlSegment(files, mapControl(ledger, files.control, bytesOf(layout)), layout);
    }
    throw new DmaBufError(
      "EPROTO",
      `Cannot join the domain: it has room for ${layout.sizes.agents} agents, and doorbells for ${files.bells.length}`,
    );
  }

  /**
   * Attends to the agent in a slot of this thread's.
   *
   * @param heard As in {@link ProcessSubstrate.listenAt}.
   * @param onSlice Called between two slices of a wait that blocks, for as long as that lasts.
   */
  attend(slot: number, heard: () => void, onSlice: () => void): void {
    this.#onSlice = onSlice;
    this.#mapped.listenAt(slot, heard);
  }

  /** As {@link ProcessSubstrate.close}. It is unmapped at once (control-mapping.3). */
  close(): void {
    const mapping = this.#mapping;
    if (mapping === undefined) return;
    this.#mapping = undefined;
    this.#mapped.close(mapping.end());
  }
}

/** Whole pages. */
export function bytesOf({ words }: Layout): number {
  return Math.ceil((words * 4) / pageSize()) * pageSize();
}

/**
 * The layout that the header tells of. Of a peer's file nothing is mapped before that is known.
 *
 * @param action As for {@link readHeader}.
 * @throws {DmaBufError} `EPROTO` if it is none, of another version, or does not fit the file.
 */
export function layoutIn(control: number, action?: string): Layout {
  const words = Math.floor(fstatSync(control).size / 4);
  return readHeader(firstPage(control), words, action);
}

/**
 * Whether the segment is a domain's already. What is read then, by {@link layoutIn}, was written before: a copy of the header
 * that is made while it is written may have its version, and not yet the rest.
 */
export function isMade(control: number): boolean {
  return hasVersion(firstPage(control));
}

function firstPage(control: number): Substrate {
  const page = new SharedArrayBuffer(pageSize());
  readSync(control, new Uint8Array(page), 0, page.byteLength, 0);
  return createSharedSubstrate(page);
}

function doorbellsOf(layout: Layout, { bells }: DomainFiles) {
  return {
    slots: layout.sizes.agents,
    bell: layout.agent(0) + AGENT.DOORBELL,
    sleepers: layout.agent(0) + AGENT.SLEEPERS,
    stride: AGENT.WORDS,
    pipeOf: (slot: number) => bells[slot]!,
  };
}
