/** What another agent can be asked to do with queues. */
import type { ReceivedHandle } from "../../../src/index.js";
import { submit, type Submitted } from "../../workers/submitter.js";
import type { Scene } from "./scene.js";

export async function submitJobs(
  { domain, begun }: Scene,
  buffers: ReceivedHandle[],
  jobs: number,
  seed: number,
): Promise<Submitted> {
  const submitted = submit(domain, buffers, jobs, seed);
  begun();
  return submitted;
}
