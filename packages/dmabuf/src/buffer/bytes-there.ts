import { DmaBufError } from "../errors.js";

/** For a view without bytes. @throws {DmaBufError} `EBADF` if its memory has gone to another thread. */
export function checkThere(view: Uint8Array): void {
  if (view.buffer.byteLength > 0) return;
  throw new DmaBufError(
    "EBADF",
    "Cannot use the bytes: their memory was put into a transfer list; post handle() of the buffer or stream instead, or a copy()",
  );
}
