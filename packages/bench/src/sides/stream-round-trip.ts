import type { MessagePort } from "node:worker_threads";
import { Domain, type Invitation, type StreamHandleData } from "dmabuf";
import type { Figures } from "../figures.js";
import { CrowdedDomain, type Crowd } from "./crowd.js";
import { giveBack, sampleGivenBack } from "./marked-frames.js";
import { operations, type Plan } from "./sampling.js";
import { nextMessage, twoWorkers, type WorkersParameters } from "./two-workers.js";

/**
 * A frame stream of one buffer: its producer publishes a frame, the consumer takes it and gives it back, and the round
 * trip ends when the producer has the next loan. The first and last byte are written and checked.
 */
export interface StreamRoundTripParameters extends WorkersParameters {
  readonly plan: Plan;
  /** As for fences. */
  readonly wait: "spin" | "park" | "async";
  readonly bytes: number;
  /** What is in the domain beside the two workers. Default nothing. */
  readonly crowd?: Crowd;
}

await twoWorkers<StreamRoundTripParameters>(import.meta.url, lead, follow);

async function lead(port: MessagePort, parameters: StreamRoundTripParameters): Promise<Figures> {
  const { plan, wait, bytes, crowd = {} } = parameters;
  const crowded = new CrowdedDomain(crowd, { agents: 2, places: 1, bytes, ...(wait === "park" && { spin: 0 }) });
  const { domain, stream } = crowded;
  const invitation = domain.invite();
  port.postMessage([invitation, stream.handle()], [invitation.port]);
  await stream.waitForConsumers(1);
  crowded.fill();
  return sampleGivenBack(stream, plan, wait === "async");
}

async function follow(port: MessagePort, { plan, wait }: StreamRoundTripParameters): Promise<void> {
  const [invitation, handle] = await nextMessage<[Invitation, StreamHandleData]>(port);
  const domain = Domain.join(invitation, wait === "park" ? { spin: 0 } : {});
  const frames = domain.import(handle).frames();
  for (let i = 0; i < operations(plan); i++) {
    giveBack(wait === "async" ? await frames.next() : frames.nextSync(), i);
  }
}
