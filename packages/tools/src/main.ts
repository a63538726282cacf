#!/usr/bin/env node
import { EXIT } from "./exit-codes.js";
import { reportFailure } from "./failures.js";
import { toolsProgram } from "./program.js";

// The reader of the output may have gone: a closed terminal, or head.
for (const output of [process.stdout, process.stderr]) output.on("error", () => process.exit(EXIT.NO_READER));

try {
  await toolsProgram().parseAsync();
} catch (error) {
  process.exitCode = reportFailure(error);
}
