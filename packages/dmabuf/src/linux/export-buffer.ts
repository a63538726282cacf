import { check } from "../arguments.js";
import { allOrNothing } from "../all-or-nothing.js";
import { attaching, DMA_BUF as BUFFER, holderOf, tieOf, type Attachment, type DmaBuf } from "../buffer/buffer.js";
import type { Mapping } from "../buffer/mapping.js";
import { take, takeSync, type Steps } from "../domain/steps.js";
import { checkWait, checkWaitSync, type WaitOptions } from "../domain/wait.js";
import { DmaBufError } from "../errors.js";
import { FileStorage } from "../node/memory/file-storage.js";
import type { DmaBufDescriptor } from "./dma-buf.js";
import { giveBack } from "./give-back.js";
import { UdmabufDevice } from "./udmabuf.js";

/**
 * A buffer of a domain between processes as a kernel dma-buf, without a copy: devices and other programs see the
 * same bytes. While it is open, the buffer's memory stays where it is.
 *
 * The two have fences of their own: call `handOver` before a device begins, and wait for the dma-buf before an
 * agent here goes on.
 *
 * @example
 * ```ts device
 * import { ExportedBuffer, handOver } from "dmabuf/linux";
 * import { ProcessDomain } from "dmabuf/node";
 *
 * using domain = ProcessDomain.create();
 * using buffer = domain.allocate(65_536);
 * using exported = await ExportedBuffer.create(buffer, { timeout: 1000 });
 * await handOver(buffer, "read", exported.descriptor, { timeout: 1000 }); // now a device may read it
 * await exported.descriptor.ready("write"); // and now it has read it
 * ```
 */
export class ExportedBuffer implements Disposable {
  /** The dma-buf. It is closed with this object. */
  readonly descriptor: DmaBufDescriptor;
  readonly #attachment: Attachment;
  readonly #mapping: Mapping;

  private constructor(descriptor: DmaBufDescriptor, attachment: Attachment, mapping: Mapping) {
    this.descriptor = descriptor;
    this.#attachment = attachment;
    this.#mapping = mapping;
  }

  /**
   * Makes a dma-buf of a buffer's memory.
   *
   * @throws {DmaBufError} `EOPNOTSUPP` if the memory is no file, as in a domain of threads; `EACCES` through a handle
   *   to read, as every dma-buf of udmabuf can be written; `EINVAL` for more than udmabuf takes (64 MiB by default);
   *   `ENOENT` or `EACCES` if there is no udmabuf, or no right to it.
   */
  static async create(buffer: DmaBuf, options: WaitOptions = {}): Promise<ExportedBuffer> {
    check("ExportedBuffer.create()", "buffer", buffer, BUFFER);
    checkWait("ExportedBuffer.create()", options);
    const { ending, record } = holderOf(buffer);
    return take(record.agent, ExportedBuffer.#create(buffer, options.timeout), options, ending);
  }

  /** As {@link create}, blocking this thread. @param options `timeout` in milliseconds; default no limit. */
  static createSync(buffer: DmaBuf, options: { readonly timeout?: number } = {}): ExportedBuffer {
    check("ExportedBuffer.createSync()", "buffer", buffer, BUFFER);
    checkWaitSync("ExportedBuffer.createSync()", options);
    return takeSync(holderOf(buffer).record.agent, ExportedBuffer.#create(buffer, options.timeout), options.timeout);
  }

  static *#create(buffer: DmaBuf, timeout: number | undefined): Steps<ExportedBuffer> {
    holderOf(buffer).checkWritable("export");
    const attachment = yield* attaching(buffer, { name: "udmabuf" }, timeout);
    let mapping: Mapping | undefined;
    try {
      // Mapped, the storage does not move.
      mapping = yield* tieOf(attachment).map("write", timeout);
      return new ExportedBuffer(dmaBufOf(buffer), attachment, mapping);
    } catch (error) {
      giveBack(
        () => mapping?.[Symbol.dispose](),
        () => attachment[Symbol.dispose](),
      );
      throw error;
    }
  }

  /** Lets the memory move again; others who have the dma-buf keep the memory that it had. Twice does nothing. */
  close(): void {
    giveBack(
      () => this.descriptor.close(),
      () => this.#mapping[Symbol.dispose](),
      () => this.#attachment[Symbol.dispose](),
    );
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function dmaBufOf(buffer: DmaBuf): DmaBufDescriptor {
  const { storage } = holderOf(buffer);
  if (!(storage instanceof FileStorage)) {
    throw new DmaBufError(
      "EOPNOTSUPP",
      "Cannot make a dma-buf of the buffer: its memory is no memory file; use a domain of dmabuf/node",
    );
  }
  using device = UdmabufDevice.open();
  const parts = storage.parts.map(({ object, offset, length }) => ({ memfd: object.fd, offset, size: length }));
  return allOrNothing((orUndo) => {
    const made = device.createList(parts);
    orUndo(() => made.close());
    if (buffer.name !== "") made.setName(buffer.name);
    return made;
  });
}
