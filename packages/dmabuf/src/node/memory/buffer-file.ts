import { pid } from "node:process";
import { allOrNothing } from "../../all-or-nothing.js";
import { holderOf, type DmaBuf } from "../../buffer/buffer.js";
import type { HandleMode } from "../../buffer/handle.js";
import type { Storage } from "../../buffer/storage.js";
import { Held, owned } from "../../domain/held.js";
import { DmaBufError } from "../../errors.js";
import type { ResourceLedger } from "../resources/resource-ledger.js";
import { reopenDescriptor } from "../system-calls/index.js";
import { FileStorage } from "./file-storage.js";
import type { MemoryObject } from "./memory-object.js";

/** How a buffer is opened as a file. */
export interface OpenFileOptions {
  /** What its descriptor allows. Default "read". */
  readonly mode?: HandleMode;
}

interface FileParts {
  readonly ledger: ResourceLedger;
  /** What ends with the domain. */
  readonly endings: Set<() => void>;
}

export let makeBufferFile: (parts: FileParts, buffer: DmaBuf, options: OpenFileOptions) => BufferFile;

/**
 * A buffer as a file, for what takes a file: a database, a decoder, a program in another language. The bytes are the
 * buffer's own: no copy is made. A file keeps no other agent out, so hold an access as long as it is used.
 *
 * @example
 * ```ts
 * import { readFileSync } from "node:fs";
 * import { ProcessDomain } from "dmabuf/node";
 *
 * using domain = ProcessDomain.create();
 * using buffer = domain.allocate(6, { exact: true });
 * {
 *   using access = await buffer.access("write");
 *   access.bytes.set(Buffer.from("a,b\n1,2".slice(0, 6)));
 * }
 * using access = await buffer.access("read");
 * using file = domain.openFile(buffer);
 * console.log(readFileSync(file.path, "utf8"), file.size); // "a,b\n1,", 6
 * ```
 */
export class BufferFile implements Disposable {
  /**
   * The file's descriptor in this process, until the close. A child inherits it by `stdio` of `spawn()`; what reads from it
   * goes on where the last one has stopped.
   */
  readonly descriptor: number;
  /**
   * Where this process and others of the same user open the file, each from its start, until the close:
   * `/proc/PROCESS/fd/DESCRIPTOR`.
   */
  readonly path: string;
  /** Bytes: those of the buffer. */
  readonly size: number;
  readonly #held: Held;

  static {
    makeBufferFile = ({ ledger, endings }, buffer, { mode = "read" }) => {
      const holder = holderOf(buffer);
      if (mode === "read-write") holder.checkWritable("open the file of");
      const { record } = holder;
      return allOrNothing((orUndo) => {
        const close = record.hold();
        orUndo(close);
        const unpin = record.pin();
        orUndo(unpin);
        const { fd, isSealed } = wholeFile(record.storage);
        if (mode === "read-write" && isSealed) {
          throw new DmaBufError("EPERM", "Cannot open the buffer as a file to write: its memory is sealed");
        }
        const entry = ledger.open(() => reopenDescriptor(fd, mode));
        const held = new Held(
          record.agent.held,
          () => `A file of buffer "${record.name}"`,
          () => {
            endings.delete(end);
            ledger.close(entry);
            unpin();
            close();
          },
        );
        const end = (): void => held.end();
        endings.add(end);
        return owned(held, new BufferFile(ledger.descriptorOf(entry), buffer.size, held));
      });
    };
  }

  private constructor(descriptor: number, size: number, held: Held) {
    this.descriptor = descriptor;
    this.path = `/proc/${pid}/fd/${descriptor}`;
    this.size = size;
    this.#held = held;
  }

  /** Closes the descriptor. A program that has opened the file keeps it. Twice does nothing. */
  close(): void {
    this.#held.end();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** @throws {DmaBufError} `EOPNOTSUPP` if there is more in the file than the buffer, or less. */
function wholeFile(storage: Storage): MemoryObject {
  const refuse = (why: string): never => {
    throw new DmaBufError("EOPNOTSUPP", `Cannot open the buffer as a file: ${why}`);
  };
  if (!(storage instanceof FileStorage)) return refuse("its memory is no file; use a domain of dmabuf/node");
  const [part, ...others] = storage.parts;
  if (part === undefined || others.length > 0 || part.offset !== 0 || part.length !== part.object.length) {
    return refuse("it is not all of one file; use memory of allocate()");
  }
  return part.object;
}
