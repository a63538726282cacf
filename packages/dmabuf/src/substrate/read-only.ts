import { DmaBufError } from "../errors.js";
import { AtomicWords } from "./atomic-words.js";
import type { ParkResult, Substrate } from "./substrate.js";

/**
 * Shared words that are only looked at.
 *
 * read-only.1. Nothing is written, and no agent is woken: each operation that could do it throws, and no word has changed.
 * read-only.2. After the close no word can be read: the memory may be unmapped.
 */
export interface ReadOnlySubstrate extends Substrate {
  /** From now on each operation throws. */
  close(): void;
}

/** @param memory Its length is a multiple of 8 bytes. It may be one that cannot be written. */
export function createReadOnlySubstrate(memory: ArrayBufferLike): ReadOnlySubstrate {
  return new ReadOnlyWords(memory);
}

class ReadOnlyWords extends AtomicWords implements ReadOnlySubstrate {
  constructor(memory: ArrayBufferLike) {
    super(memory);
  }

  close(): void {
    this.moveTo(new ArrayBuffer(0));
  }

  override store(): never {
    refuse();
  }

  override add(): never {
    refuse();
  }

  override or(): never {
    refuse();
  }

  override and(): never {
    refuse();
  }

  override exchange(): never {
    refuse();
  }

  override compareExchange(): never {
    refuse();
  }

  override store64(): never {
    refuse();
  }

  override exchange64(): never {
    refuse();
  }

  override compareExchange64(): never {
    refuse();
  }

  override park(): ParkResult {
    refuse();
  }

  override parkAsync(): undefined {
    refuse();
  }

  override wake(): never {
    refuse();
  }
}

function refuse(): never {
  throw new DmaBufError("EROFS", "Cannot change the domain: it is only looked at");
}
