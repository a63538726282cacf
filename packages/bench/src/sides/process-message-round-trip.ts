import { fork } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { operations, parameters, report, sampleAsync, type Plan } from "./sampling.js";
import { pinThread, type WorkersParameters } from "./two-workers.js";

/** One process sends a frame to another by Node.js's own messages, and is answered with a small one. */
export interface ProcessMessageRoundTripParameters extends WorkersParameters {
  readonly plan: Plan;
  readonly bytes: number;
}

const given = parameters<ProcessMessageRoundTripParameters>();
if (process.argv[3] === "follow") follow(given);
else await lead(given);

async function lead({ plan, bytes, cpus }: ProcessMessageRoundTripParameters): Promise<void> {
  const other = fork(fileURLToPath(import.meta.url), [process.argv[2]!, "follow"], { serialization: "advanced" });
  if (cpus !== undefined) pinThread(cpus[0]);
  const answered = (): Promise<void> => new Promise((resolve) => other.once("message", () => resolve()));
  await answered();
  const frame = new Uint8Array(bytes).fill(1);
  report(
    await sampleAsync(plan, async (first, count) => {
      for (let i = first; i < first + count; i++) {
        frame[0] = i;
        frame[bytes - 1] = i;
        other.send(frame);
        await answered();
      }
    }),
  );
}

function follow({ plan, bytes, cpus }: ProcessMessageRoundTripParameters): void {
  if (cpus !== undefined) pinThread(cpus[1]);
  let i = 0;
  process.on("message", (frame: Uint8Array) => {
    if (frame[0] !== (i & 0xff) || frame[bytes - 1] !== (i & 0xff)) throw new Error("A frame came torn");
    process.send!(1);
    if (++i === operations(plan)) process.disconnect();
  });
  process.send!("ready");
}
