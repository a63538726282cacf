/** What another agent can be asked to do with queues. */
import { DmaBufError, type FenceHandle, type BufferHandleData } from "../../../src/index.js";
import { submit, type Submitted } from "../../workers/submitter.js";
import type { Scene } from "./scene.js";

export async function submitJobs(
  { domain, begun }: Scene,
  buffers: BufferHandleData[],
  jobs: number,
  seed: number,
): Promise<Submitted> {
  const submitted = submit(domain, buffers, jobs, seed);
  begun();
  return submitted;
}

/** A pipeline whose device works on something slow, and then refuses a job; returns what the job behind that one saw. */
export async function followFailed(
  { domain, begun }: Scene,
  slow: FenceHandle,
  how: "throws" | "rejects",
): Promise<{ slow: number; failed: number }> {
  const device = domain.import(slow);
  let seen = { slow: 0, failed: 0 };
  const refuse = (): never => {
    throw new DmaBufError("EIO", "The device has refused it");
  };
  using scheduler = domain.createScheduler<string>({
    credits: 3,
    pipeline: true,
    run({ data }) {
      if (data === "slow") return device;
      if (data === "fails") return how === "throws" ? refuse() : Promise.resolve().then(refuse);
      seen = { slow: device.status, failed: failed.status };
      return undefined;
    },
  });
  const [one, other] = [scheduler.createQueue(), scheduler.createQueue()];
  await one.submit({ data: "slow" });
  const failed = await one.submit({ data: "fails" });
  while (scheduler.running.length !== 1 || one.length > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  const dependent = await other.submit({ data: "dependent", dependencies: [failed] });
  begun();
  await dependent.result();
  return seen;
}
