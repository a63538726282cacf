/** `npm run chaos:hosts`: hosts that are killed, stopped and cut off in the middle of a stream, and what must hold then. */
import process from "node:process";
import { Command } from "commander";
import { choice, wholeNumber } from "../../command-line.js";
import { PLANTED, type PlantedName } from "../planted.js";
import { runChaos } from "./chaos-hosts.js";
import { describeBlow, makePlan } from "./plan.js";

interface Options {
  readonly seconds: number;
  readonly seed: number;
  readonly plan: boolean;
  readonly fault?: PlantedName;
}

await new Command("chaos:hosts")
  .description("Kills and stops the processes of a stream between two hosts, and breaks their network and their broker")
  .option("--seconds <number>", "how long", wholeNumber, 60)
  .option("--seed <number>", "what is done when: the same seed gives the same plan (default: random)", wholeNumber)
  .option("--plan", "print the plan, and do nothing", false)
  .option("--fault <name>", "plant a fault that the run must find", choice(PLANTED))
  .addHelpText(
    "after",
    `\nFaults: ${Object.keys(PLANTED).join(", ")}. It needs root, and Debian's iproute2, nftables and nats-server.`,
  )
  .action(main)
  .parseAsync();

async function main({ seconds, seed = Math.floor(Math.random() * 2 ** 31), plan, fault }: Options): Promise<void> {
  if (plan) return console.log(makePlan(seed, seconds).map(describeBlow).join("\n"));
  console.log(`seed ${seed}`);
  try {
    console.log(JSON.stringify(await runChaos({ seconds, seed, fault, progress: console.log }), undefined, 1));
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
