/** `npm run soak`: everything there is, again and again, and whether anything grows. */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { Command } from "commander";
import { choice, wholeNumber } from "../../command-line.js";
import { runSoak, SOAK_FAULTS, V8_OPTIONS, type SoakFault } from "./soak.js";

interface Options {
  readonly minutes: number;
  readonly seconds?: number;
  readonly seed?: number;
  readonly fault?: SoakFault;
}

const faults = Object.entries(SOAK_FAULTS).map(([name, what]) => `  ${name.padEnd(12)}the first process ${what}`);

await new Command("soak")
  .description("Does everything there is, again and again, in processes that end, and looks whether anything grows")
  .option("--minutes <number>", "how long", wholeNumber, 10)
  .option("--seconds <number>", "how long, instead of minutes", wholeNumber)
  .option("--seed <number>", "in which order things are done (default: random)", wholeNumber)
  .option("--fault <name>", "plant a fault that the run must find", choice(SOAK_FAULTS))
  .addHelpText("after", `\nFaults:\n${faults.join("\n")}`)
  .action(main)
  .parseAsync();

async function main({
  minutes,
  seconds = minutes * 60,
  seed = Math.floor(Math.random() * 2 ** 31),
  fault,
}: Options): Promise<void> {
  if (!process.execArgv.includes(V8_OPTIONS[0]!)) {
    const command = [...process.execArgv, ...V8_OPTIONS, ...process.argv.slice(1)];
    process.exitCode = spawnSync(process.execPath, command, { stdio: "inherit" }).status ?? 1;
    return;
  }
  console.log(`seed ${seed}`);
  try {
    const { rounds, terminated, killed } = await runSoak({ seconds, seed, fault, progress: console.log });
    console.log(`${rounds} rounds of the first process; ${terminated} workers terminated, ${killed} processes killed`);
    console.log("Nothing has grown, and nothing has hung.");
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
