/**
 * A process or a worker of a soak: does round after round until it is told to rest, and says what it has then.
 *
 * As a worker it goes on until it is terminated.
 */
import process from "node:process";
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { Random } from "../../random.js";
import { figures, Rounds } from "./rounds.js";
import type { PeerStart, ToPeer } from "./soak.js";

const start = (isMainThread ? JSON.parse(process.argv[2]!) : workerData) as PeerStart;
const rounds = await Rounds.at(start.place, new Random(start.seed));
// A worker that is terminated while Node.js loads a module leaves that file open, and koffi ends the process if it is
// while koffi is loaded or makes a view.
parentPort?.postMessage("joined");
let resting = false;
let resume = (): void => {};

process.on("message", (order: ToPeer) => {
  resting = order === "rest";
  resume();
  if (order === "end") process.disconnect();
});
process.on("disconnect", () => process.exit(0));

for (;;) {
  if (resting) {
    process.send!({ rounds: rounds.done, figures: await figures() });
    // It is told to rest again, too, to say once more what it has.
    await new Promise<void>((resolve) => (resume = resolve));
  } else await rounds.run();
}
