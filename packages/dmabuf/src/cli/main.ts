#!/usr/bin/env node
import { createRequire } from "node:module";
import { Command } from "commander";
import { DmaBufError } from "../errors.js";
import { InterruptedError, demoCommand } from "./demo/command.js";
import { doctorCommand } from "./doctor/command.js";

const { version } = createRequire(import.meta.url)("dmabuf/package.json") as { version: string };

const program = new Command("dmabuf")
  .description("Large buffers shared between workers without a copy: the Linux dma-buf system for JavaScript.")
  .version(version)
  .showHelpAfterError("(--help tells the options)")
  .addCommand(demoCommand())
  .addCommand(doctorCommand());

// Whoever read what is said may have gone: a closed terminal, or head. What was begun is ended in order all the same.
for (const output of [process.stdout, process.stderr]) output.on("error", () => (process.exitCode ??= 1));

try {
  await program.parseAsync();
} catch (error) {
  console.error(`dmabuf: ${inWords(error)}`);
  process.exitCode = error instanceof InterruptedError ? error.exitCode : 1;
}

/** What a person can do something about has no stack; everything else is a mistake of ours, and has one. */
function inWords(error: unknown): string {
  if (error instanceof DmaBufError) return error.toPlain().message;
  if (error instanceof InterruptedError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
