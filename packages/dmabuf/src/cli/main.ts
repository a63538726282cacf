#!/usr/bin/env node
import { createRequire } from "node:module";
import { DmaBufError } from "../errors.js";
import { demo } from "./demo.js";
import { doctor } from "./doctor/command.js";

const HELP = `Usage: dmabuf COMMAND

Large buffers shared between workers without a copy: the Linux dma-buf system for JavaScript.

  dmabuf doctor         look what this machine has of all that dmabuf can use, and say what to do about the rest
  dmabuf doctor --json  the same as one JSON object
  dmabuf demo [FILE]    play a video to four workers that share every frame (package dmabuf-demo; --help tells more)
  dmabuf --version      the package's version`;

// The reader of the output may have gone: a closed terminal, or head.
for (const output of [process.stdout, process.stderr]) output.on("error", () => (process.exitCode ??= 1));

try {
  await main(process.argv[2], process.argv.slice(3));
} catch (error) {
  // An error that a person can do something about has no stack; any other is a mistake of ours, and has one.
  const text = error instanceof DmaBufError ? error.toPlain().message : ((error as Error).stack ?? String(error));
  console.error(`dmabuf: ${text}`);
  process.exitCode = 1;
}

async function main(command: string | undefined, options: readonly string[]): Promise<void> {
  if (command === "demo") return demo();
  if (command === "doctor") return doctor(options);
  if (command === "--version") return console.log(version());
  if (command === "--help") return console.log(HELP);
  if (command === undefined) throw new DmaBufError("EINVAL", `There is no command.\n\n${HELP}`);
  throw new DmaBufError("EINVAL", `There is no command ${JSON.stringify(command)} (--help tells the commands)`);
}

function version(): string {
  return (createRequire(import.meta.url)("dmabuf/package.json") as { version: string }).version;
}
