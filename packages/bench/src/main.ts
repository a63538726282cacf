import { writeFileSync } from "node:fs";
import { Command, Option } from "commander";
import { Children } from "./children.js";
import { hold } from "./contest.js";
import { judge } from "./goals.js";
import { Iceoryx } from "./iceoryx.js";
import { describeMachine, processors } from "./machine.js";
import { allMeasures } from "./measures/all.js";
import type { Scale } from "./measures/scale.js";
import { compilePingpong } from "./pingpong.js";
import { findPython } from "./python.js";
import { describe, goalTable, resultTable, type Report } from "./report.js";

const GROUPS = [
  ...["one-thread", "fence", "reservation", "signaled", "spinning", "parked", "asynchronous", "processes", "hand-off"],
  ...["process-hand-off", "throughput", "growth", "python"],
];
/** What iceoryx takes part in. */
const WITH_ICEORYX = [undefined, "process-hand-off", "throughput"];

interface Options {
  readonly quick?: true;
  readonly json?: string;
  readonly only?: string;
}

const options = new Command("npm run bench --")
  .description("Measures the library beside its peers, in turn. Prints tables in Markdown.")
  .option("--quick", "fewer runs with fewer samples: a look, not a measurement")
  .option("--json <file>", "write everything to a file, too")
  .addOption(new Option("--only <name>", "one group of measures").choices(GROUPS))
  .parse()
  .opts<Options>();

await main(options);

async function main({ quick, json, only }: Options): Promise<void> {
  const scale: Scale = quick ? "quick" : "full";
  const rounds = quick ? 2 : 5;
  const skipped: string[] = [];
  const skip = (reason: string): void => {
    skipped.push(reason);
    console.error(`Skipped: ${reason}`);
  };

  const pingpong = compilePingpong();
  if (pingpong === undefined) skip("all comparisons with C: there is no C compiler (gcc, or CC in the environment)");
  const cpus = processors();
  if (cpus === undefined) skip("everything on one processor, and binding: there is no taskset (util-linux)");
  else if (cpus.length < 2) skip("everything on two processors: there is only one");
  using iceoryx = WITH_ICEORYX.includes(only) ? await startIceoryx(skip) : undefined;
  const children = new Children(cpus, pingpong?.path, iceoryx?.program);
  const python = findPython();
  if (python === undefined) skip("the round trip to Python: there is no Python 3.9 (python3)");
  else if (!python.hasZeromq) skip("the comparison with ZeroMQ: Python has no zmq (Debian: python3-zmq)");
  const machine = describeMachine(pingpong?.compiler, cpus);
  console.log(`${describe(machine)}\n`);

  const results = allMeasures(children, scale, python)
    .filter(({ group }) => only === undefined || group === only)
    .map((measure) => {
      const result = hold(measure, rounds);
      console.log(resultTable(result));
      return result;
    });
  const goals = judge(results);
  if (goals.length > 0) console.log(goalTable(goals));
  const report: Report = { machine, scale, rounds, results, goals, skipped };
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(report, undefined, 2)}\n`);
}

async function startIceoryx(skip: (reason: string) => void): Promise<Iceoryx | undefined> {
  const started = await Iceoryx.start();
  if (started instanceof Iceoryx) return started;
  skip(`all comparisons with iceoryx: ${started}`);
  return undefined;
}
