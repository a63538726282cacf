import { CommanderError } from "commander";
import { DmaBufError } from "dmabuf";
import { EXIT } from "./exit-codes.js";
import { printableLines } from "./terminal/words.js";

/** A failure that a person can do something about, and the code that the program ends with. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exitCode: number;

  constructor(exitCode: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** Says on standard error what has failed. @returns The exit code. */
export function reportFailure(error: unknown): number {
  // Commander has said it already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.OK : EXIT.USAGE;
  console.error(`dmabuf: ${inWords(error)}`);
  if (error instanceof CommandError) return error.exitCode;
  return error instanceof DmaBufError && NOTHING_THERE.has(error.code) ? EXIT.NOTHING : EXIT.FAILED;
}

/** Codes of the errors that say that what is looked for is not there. */
const NOTHING_THERE: ReadonlySet<string> = new Set(["ENOENT", "ESRCH", "ECONNREFUSED"]);

/** Such an error has no stack; any other is a mistake of ours, and has one. */
function inWords(error: unknown): string {
  if (error instanceof CommandError) return printableLines(error.message);
  if (error instanceof DmaBufError) return printableLines(error.toPlain().message);
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
