import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";

/** A Python of this machine. */
export interface Python {
  readonly program: string;
  /** Whether it has ZeroMQ's package. */
  readonly hasZeromq: boolean;
}

/** @returns `undefined` if there is none. `DMABUF_PYTHON` names another than Debian's, or than that of the path. */
export function findPython(): Python | undefined {
  const program = process.env["DMABUF_PYTHON"] ?? (existsSync("/usr/bin/python3") ? "/usr/bin/python3" : "python3");
  const can = (text: string): boolean => spawnSync(program, ["-c", text], { stdio: "ignore" }).status === 0;
  return can("import sys; sys.exit(sys.version_info < (3, 9))") ? { program, hasZeromq: can("import zmq") } : undefined;
}
