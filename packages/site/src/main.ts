#!/usr/bin/env node
/** `npm run docs`: makes the site of the documents, and shows it. */
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { buildSite } from "./build.js";
import { HOME } from "./pages.js";
import { preview } from "./preview.js";

interface Flags {
  readonly base: string;
  readonly out: string;
  readonly pictures: boolean;
  readonly serve?: true;
  readonly port: number;
}

const program = new Command("npm run docs --")
  .description("Make the site of the documents.")
  .option("--base <path>", "the path that the site will be at, as /dmabuf/", basePath, "/")
  .option("--out <folder>", "where it is written to", join(HOME, "dist/site"))
  .option("--no-pictures", "leave out the pictures of the inspector, which a browser takes")
  .option("--serve", "then show it on this machine, until Ctrl-C")
  .option("--port <number>", "port of --serve on 127.0.0.1; 0 for a free one", port, 0)
  .action(async ({ base, out, pictures, serve, port }: Flags) => {
    await buildSite({ base, out, pictures });
    console.log(`The site is in ${out}`);
    if (serve === true) console.log(`It is shown at ${(await preview(out, base, port)).address}`);
  });

try {
  await program.parseAsync();
} catch (error) {
  console.error(`docs: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

function basePath(text: string): string {
  if (/^\/([\w.~-]+\/)*$/.test(text)) return text;
  throw new InvalidArgumentError("It begins and ends with a slash.");
}

function port(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new InvalidArgumentError("It is a number from 0 to 65535.");
}
