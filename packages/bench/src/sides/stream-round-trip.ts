import type { MessagePort } from "node:worker_threads";
import { Domain, type Invitation, rawFormat, type StreamHandleData } from "dmabuf";
import type { Figures } from "../figures.js";
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
}

await twoWorkers<StreamRoundTripParameters>(import.meta.url, lead, follow);

async function lead(port: MessagePort, { plan, wait, bytes }: StreamRoundTripParameters): Promise<Figures> {
  const domain = Domain.create(wait === "park" ? { spin: 0 } : {});
  const stream = domain.createStream({ format: rawFormat(bytes), buffers: 1, dataBytes: 0 });
  const invitation = domain.invite();
  port.postMessage([invitation, stream.handle()], [invitation.port]);
  await stream.waitForConsumers(1);
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
