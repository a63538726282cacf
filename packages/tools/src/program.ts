import { createRequire } from "node:module";
import { Command } from "commander";
import { addBufinfo } from "./commands/bufinfo.js";
import { addCompletion } from "./commands/completion.js";
import { addExplain } from "./commands/explain.js";
import { addFences } from "./commands/fences.js";
import { addHost } from "./commands/host.js";
import { addInspect } from "./commands/inspect.js";
import { addLs } from "./commands/ls.js";
import { addStreams } from "./commands/streams.js";
import { addTop } from "./commands/top.js";
import { addTrace } from "./commands/trace.js";
import { EXIT_CODES_HELP } from "./exit-codes.js";

const { version } = createRequire(import.meta.url)("dmabuf-tools/package.json") as { version: string };

/** In the order of `--help`. The last one completes all the others. */
const COMMANDS = [
  addLs,
  addBufinfo,
  addFences,
  addStreams,
  addTop,
  addExplain,
  addTrace,
  addHost,
  addInspect,
  addCompletion,
];

/** `dmabuf COMMAND`, without what the library's own package does. */
export function toolsProgram(): Command {
  const program = new Command("dmabuf")
    .description("Look at running domains, also at those that hang. Nothing is changed there.")
    .version(version)
    .showHelpAfterError("(--help tells more)")
    // `trace record` passes what follows its command on.
    .enablePositionalOptions()
    // A wrong command line has a code of its own.
    .exitOverride();
  for (const add of COMMANDS) add(program);
  program.addHelpText("afterAll", EXIT_CODES_HELP);
  return program;
}
