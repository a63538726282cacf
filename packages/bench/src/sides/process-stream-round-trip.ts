import { type Consumer, type FrameStream, rawFormat } from "dmabuf";
import { ProcessDomain } from "dmabuf/node";
import type { Figures } from "../figures.js";
import { giveBack, publish, sampleGivenBack } from "./marked-frames.js";
import { operations, sample, sampleAsync, SPIN_MS, type Plan } from "./sampling.js";
import { twoProcesses, type Shared } from "./two-processes.js";
import type { WorkersParameters } from "./two-workers.js";

/**
 * Two processes of one domain. The first and last byte of each frame are written and checked.
 *
 * By `there and back`, each has a frame stream: a frame of the one is answered by a frame of the other. By `given back`,
 * there is one stream with one buffer: the frame is taken and given back, and the producer has the next loan.
 */
export interface ProcessStreamRoundTripParameters extends WorkersParameters {
  readonly plan: Plan;
  /** As for fences. */
  readonly wait: "spin" | "park" | "async";
  readonly way: "there and back" | "given back";
  readonly bytes: number;
  /** Whether the domain is validated. */
  readonly validate: boolean;
}

type Parameters = ProcessStreamRoundTripParameters;

await twoProcesses<Parameters>(import.meta.url, prepare, follow);

function prepare(parameters: Parameters): Shared {
  const domain = ProcessDomain.create({ ...waiting(parameters), agents: 4, validate: parameters.validate });
  const invitation = domain.inviteProcess();
  const lead = async (): Promise<Figures> => {
    const figures = await leadIn(domain, parameters);
    invitation[Symbol.dispose]();
    domain.close();
    return figures;
  };
  return { descriptors: [invitation.descriptor], lead };
}

async function leadIn(domain: ProcessDomain, { plan, wait, way, bytes }: Parameters): Promise<Figures> {
  const ping = domain.createStream({ name: "ping", format: rawFormat(bytes), buffers: buffers(way), dataBytes: 0 });
  await ping.waitForConsumers(1);
  if (way === "there and back") {
    const pong = (await domain.findStream("pong")).frames();
    if (wait === "async") {
      return sampleAsync(plan, async (first, count) => {
        for (let i = first; i < first + count; i++) {
          publish(await ping.loan(), i);
          giveBack(await pong.next(), i);
        }
      });
    }
    return sample(plan, (first, count) => {
      for (let i = first; i < first + count; i++) {
        publish(ping.loanSync(), i);
        giveBack(pong.nextSync(), i);
      }
    });
  }
  return sampleGivenBack(ping, plan, wait === "async");
}

async function follow([descriptor]: readonly number[], parameters: Parameters): Promise<void> {
  const { plan, wait, way, bytes } = parameters;
  const domain = await ProcessDomain.inherit({ descriptor: descriptor!, ...waiting(parameters) });
  let pong: FrameStream | undefined;
  if (way === "there and back") {
    pong = domain.createStream({ name: "pong", format: rawFormat(bytes), buffers: buffers(way), dataBytes: 0 });
  }
  const ping = (await domain.findStream("ping")).frames();
  await pong?.waitForConsumers(1);
  const answer = wait === "async" ? answerLater : answerAtOnce;
  await answer(ping, pong, operations(plan));
  // What was published last may not have been taken.
  await new Promise((resolve) => setTimeout(resolve, 100));
  domain.close();
}

async function answerLater(ping: Consumer, pong: FrameStream | undefined, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    giveBack(await ping.next(), i);
    if (pong !== undefined) publish(await pong.loan(), i);
  }
}

async function answerAtOnce(ping: Consumer, pong: FrameStream | undefined, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    giveBack(ping.nextSync(), i);
    if (pong !== undefined) publish(pong.loanSync(), i);
  }
}

function waiting({ wait }: Parameters): { readonly spin?: number } {
  return { spin: SPIN_MS[wait] };
}

function buffers(way: Parameters["way"]): number {
  return way === "given back" ? 1 : 2;
}
