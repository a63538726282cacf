import { isText, type Kind } from "../../arguments.js";

/** What the kernel has room for. */
const PATH_BYTES = 4_095;

/** A program or module that another thread or process is to run. */
export const PROGRAM_FILE: Kind = {
  wanted: `a path of at most ${PATH_BYTES} bytes or a file URL`,
  isKind: (value) => typeof value === "string" || value instanceof URL,
  isTaken(file: string | URL) {
    const path = String(file);
    return path !== "" && isText(path) && Buffer.byteLength(path) <= PATH_BYTES;
  },
};
