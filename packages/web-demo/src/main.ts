import { DemoServerError } from "./server.js";
import { demoProgram } from "./command.js";

try {
  await demoProgram().parseAsync();
} catch (error) {
  // One that a person can do something about has no stack; any other is a mistake of ours, and has one.
  const text = error instanceof DemoServerError ? error.message : error instanceof Error ? error.stack : String(error);
  console.error(`demo:web: ${text}`);
  process.exitCode = 1;
}
