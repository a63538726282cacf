/** `npm run chaos`: processes that are killed and stopped in the middle of their work, and what must hold then. */
import process from "node:process";
import { Command } from "commander";
import { choice, wholeNumber } from "../../command-line.js";
import { runChaos } from "./chaos.js";
import { FAULTS, type Fault } from "./orders.js";
import { describeBlow, makePlan } from "./plan.js";

interface Options {
  readonly seconds: number;
  readonly seed: number;
  readonly plan: boolean;
  readonly fault?: Fault;
}

const faults = Object.entries(FAULTS).map(([name, what]) => `  ${name.padEnd(12)}a member ${what}`);

await new Command("chaos")
  .description(
    "Kills and stops processes that work on the same buffers and streams, and looks for anything lost or stuck",
  )
  .option("--seconds <number>", "how long", wholeNumber, 60)
  .option("--seed <number>", "what is done when: the same seed gives the same plan (default: random)", wholeNumber)
  .option("--plan", "print the plan, and do nothing", false)
  .option("--fault <name>", "plant a fault that the run must find", choice(FAULTS))
  .addHelpText("after", `\nFaults:\n${faults.join("\n")}`)
  .action(main)
  .parseAsync();

async function main({ seconds, seed = Math.floor(Math.random() * 2 ** 31), plan, fault }: Options): Promise<void> {
  if (plan) return console.log(makePlan(seed, seconds).map(describeBlow).join("\n"));
  console.log(`seed ${seed}`);
  try {
    const { blows, deeds, recoveries } = await runChaos({
      seconds,
      seed,
      ...(fault && { fault }),
      progress: console.log,
    });
    console.log(`blows: ${list(blows)}`);
    console.log(`done by those who left by themselves: ${list(deeds)}`);
    const at = (part: number): string => recoveries[Math.floor(part * (recoveries.length - 1))]!.toFixed(1);
    console.log(`from a death until nothing of it was left: ${at(0.5)} ms in the middle, ${at(1)} ms at most`);
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}

function list(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([name, number]) => `${name} ${number}`)
    .join(", ");
}
