/**
 * Another process of a domain, which kills itself before a step that it is told: an operation on shared words, in the
 * order in which it makes them.
 *
 * Usage: node mortal.js, with an IPC channel. It says "ready", gets an {@link Errand}, and says how many steps that took
 * if it lives to see the end.
 */
import process from "node:process";
import { ProcessDomain } from "../../src/node/index.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { SteppedSubstrate } from "../../src/testing/index.js";
import { MORTAL_TASKS, type Given } from "../doomed-tasks.js";
import { JOINING_TASKS, type Errand } from "./child-task.js";
import { memoryHook } from "../../src/node/joining/control-segment.js";

process.once("message", (errand: Errand) => void run(errand));
process.send?.("ready");

async function run(errand: Errand): Promise<void> {
  const { place, task, at } = errand;
  const plan = at === 0 ? {} : { at, happen: () => void process.kill(process.pid, "SIGKILL") };
  let steps: SteppedSubstrate | undefined;
  const numbered = (memory: Substrate): Substrate => {
    steps = new SteppedSubstrate(memory);
    steps.begin(plan);
    return steps;
  };
  if (task in JOINING_TASKS) {
    memoryHook.wrap = numbered;
    await JOINING_TASKS[task]!(() => ProcessDomain.connect(place, { name: "mortal" }), errand);
  } else {
    memoryHook.wrap = (memory) => (steps = new SteppedSubstrate(memory));
    const domain = await ProcessDomain.connect(place, { name: "mortal" });
    const given = givenTo(domain, errand);
    steps!.begin(plan);
    MORTAL_TASKS[task]!(domain, given);
  }
  process.send!(steps!.steps, () => process.kill(process.pid, "SIGKILL"));
}

function givenTo(domain: ProcessDomain, { buffers, handle, stream, timeline, fence }: Errand): Given {
  const [one, two] = buffers;
  return {
    buffers: [domain.import(one), domain.import(two)],
    handle,
    stream,
    timeline,
    fence: domain.import(fence),
  };
}
