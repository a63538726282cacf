/**
 * Looks at a file, as a process of its own: `node look.js PATH` prints a {@link Look} as JSON. On a file system that does not
 * answer a look lasts without end, and ends with its process alone.
 */
import { accessSync, constants, statSync, type Stats } from "node:fs";

/** What a file is, or why it cannot be read. */
export interface Look {
  readonly kind?: "file" | "directory" | "named pipe" | "device" | "socket";
  /** An errno name. */
  readonly code?: string;
}

console.log(JSON.stringify(look(process.argv[2]!)));

function look(path: string): Look {
  try {
    accessSync(path, constants.R_OK);
    return { kind: kindOf(statSync(path)) };
  } catch (error) {
    return { code: (error as NodeJS.ErrnoException).code ?? "EIO" };
  }
}

function kindOf(stats: Stats): NonNullable<Look["kind"]> {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "directory";
  if (stats.isFIFO()) return "named pipe";
  return stats.isSocket() ? "socket" : "device";
}
