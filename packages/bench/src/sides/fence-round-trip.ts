import type { MessagePort } from "node:worker_threads";
import { type BufferHandleData, Domain, type Invitation } from "dmabuf";
import type { Figures } from "../figures.js";
import { followFences, leadFences, type FencePlan, type Line, type Wait } from "./fence-ends.js";
import { nextMessage, twoWorkers, type WorkersParameters } from "./two-workers.js";

/**
 * Two workers hand a buffer to each other by fences on two timelines: each signals its own and waits for the other's.
 * The fences are created, sent and imported beforehand, for some round trips at a time.
 */
export interface FenceRoundTripParameters extends WorkersParameters, FencePlan {}

await twoWorkers<FenceRoundTripParameters>(import.meta.url, lead, follow);

async function lead(port: MessagePort, parameters: FenceRoundTripParameters): Promise<Figures> {
  const domain = Domain.create(spinOption(parameters.wait));
  const invitation = domain.invite();
  const buffer = domain.allocate(Math.max(parameters.bytes, 2));
  port.postMessage([invitation, buffer.handle("read-write")], [invitation.port]);
  return leadFences(lineOf(port), domain, buffer, parameters);
}

async function follow(port: MessagePort, parameters: FenceRoundTripParameters): Promise<void> {
  const [invitation, handle] = await nextMessage<[Invitation, BufferHandleData]>(port);
  const domain = Domain.join(invitation, spinOption(parameters.wait));
  await followFences(lineOf(port), domain, domain.import(handle), parameters);
}

/** How a domain is told not to spin. */
function spinOption(wait: Wait): { spin?: number } {
  return wait === "park" ? { spin: 0 } : {};
}

function lineOf(port: MessagePort): Line {
  return { post: (message) => port.postMessage(message), next: () => nextMessage(port) };
}
