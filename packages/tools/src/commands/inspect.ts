import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import type { Command } from "commander";
import { EXIT } from "../exit-codes.js";
import { CommandError } from "../failures.js";

/** `dmabuf inspect …`: the program of the package `dmabuf-inspector`, in this process. */
export function addInspect(program: Command): void {
  program
    .command("inspect")
    .description("show a domain in a page of the browser (package dmabuf-inspector; --help tells more)")
    .argument("[args...]", "what the inspector takes")
    .allowUnknownOption()
    .helpOption(false)
    .action(inspect);
}

async function inspect(args: readonly string[]): Promise<void> {
  const paths = [process.cwd(), import.meta.dirname];
  let main: string;
  try {
    main = createRequire(import.meta.url).resolve("dmabuf-inspector", { paths });
  } catch (cause) {
    const how = "npm install dmabuf-inspector && npx dmabuf inspect";
    const problem = "The inspector is a package of its own, which is not installed here";
    throw new CommandError(EXIT.FAILED, `${problem}: ${how}`, { cause });
  }
  process.argv.splice(1, Infinity, main, ...args);
  await import(pathToFileURL(main).href);
}
