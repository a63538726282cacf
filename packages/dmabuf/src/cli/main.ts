#!/usr/bin/env node
import { createRequire } from "node:module";
import { DmaBufError } from "../errors.js";
import { doctor } from "./doctor/command.js";
import { forward } from "./forward.js";

const HELP = `Usage: dmabuf COMMAND

Large buffers shared between workers without a copy: the Linux dma-buf system for JavaScript.

  dmabuf doctor            look what this machine has of all that dmabuf can use, and say what to do about the rest
  dmabuf doctor --json     the same as one JSON object
  dmabuf demo [FILE]       play a video to four workers that share every frame (package dmabuf-demo; --help tells more)
  dmabuf --version         the package's version

Look at running domains, also at those that hang (package dmabuf-tools; each has --help and --json):

  dmabuf ls                the domains of this machine
  dmabuf bufinfo [DOMAIN]  buffers, who holds, reads and writes them, and their fences
  dmabuf fences [DOMAIN]   fences that are pending, with their age and owner
  dmabuf streams [DOMAIN]  rates, how long frames wait, and who is behind
  dmabuf top [DOMAIN]      all of it, live
  dmabuf explain [WHAT]    who waits for whom, since when and why
  dmabuf trace record|open record what a domain does for Perfetto; what happened last, also of a program that was killed
  dmabuf inspect [DOMAIN]  the same in a page (package dmabuf-inspector)
  dmabuf completion SHELL  completion for bash, zsh or fish

Reach other hosts (package dmabuf-tools):

  dmabuf host              be this host's agent: streams, fences and jobs go between its domain and those of other hosts`;

// The reader of the output may have gone: a closed terminal, or head.
for (const output of [process.stdout, process.stderr]) output.on("error", () => (process.exitCode ??= 1));

try {
  await main(process.argv[2], process.argv.slice(3));
} catch (error) {
  // An error that a person can do something about has no stack; any other is a mistake of ours, and has one.
  const text = error instanceof DmaBufError ? error.toPlain().message : ((error as Error).stack ?? String(error));
  console.error(`dmabuf: ${text}`);
  // A wrong command line has a code of its own.
  process.exitCode = error instanceof DmaBufError && error.code === "EINVAL" ? 2 : 1;
}

async function main(command: string | undefined, options: readonly string[]): Promise<void> {
  if (command === "doctor") return doctor(options);
  if (command === "--version") return console.log(version());
  if (command === "--help") return console.log(HELP);
  if (command === undefined) throw new DmaBufError("EINVAL", `There is no command.\n\n${HELP}`);
  if (await forward(command)) return;
  throw new DmaBufError("EINVAL", `There is no command ${JSON.stringify(command)} (--help tells the commands)`);
}

function version(): string {
  return (createRequire(import.meta.url)("dmabuf/package.json") as { version: string }).version;
}
