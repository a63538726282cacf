#!/usr/bin/env node
import { DmaBufError } from "dmabuf";
import { inspectorProgram } from "./command.js";

// The reader of the output may have gone: a closed terminal, or head. The page still ends in order.
for (const output of [process.stdout, process.stderr]) output.on("error", () => (process.exitCode ??= 1));

try {
  await inspectorProgram().parseAsync();
} catch (error) {
  console.error(`dmabuf-inspector: ${inWords(error)}`);
  process.exitCode = 1;
}

/** An error that a person can do something about has no stack; any other is a mistake of ours, and has one. */
function inWords(error: unknown): string {
  if (error instanceof DmaBufError) return error.toPlain().message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
