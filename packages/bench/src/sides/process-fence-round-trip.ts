import process from "node:process";
import type { BufferHandleData } from "dmabuf";
import { ProcessDomain } from "dmabuf/node";
import { followFences, leadFences, type FencePlan, type Line } from "./fence-ends.js";
import { SPIN_MS } from "./sampling.js";
import { twoProcesses, type Shared } from "./two-processes.js";
import type { WorkersParameters } from "./two-workers.js";

/** As two workers, two processes hand a buffer to each other by fences. */
export interface ProcessFenceRoundTripParameters extends WorkersParameters, FencePlan {}

await twoProcesses<ProcessFenceRoundTripParameters>(import.meta.url, prepare, follow);

function prepare(parameters: ProcessFenceRoundTripParameters): Shared {
  const domain = ProcessDomain.create({ spin: SPIN_MS[parameters.wait], agents: 4 });
  const invitation = domain.inviteProcess();
  const lead: Shared["lead"] = async (line) => {
    const buffer = domain.allocate(parameters.bytes);
    await line.next();
    line.post(buffer.handle("read-write"));
    const figures = await leadFences(line, domain, buffer, parameters);
    invitation[Symbol.dispose]();
    domain.close();
    return figures;
  };
  return { descriptors: [invitation.descriptor], lead };
}

async function follow([descriptor]: readonly number[], parameters: ProcessFenceRoundTripParameters): Promise<void> {
  const domain = await ProcessDomain.inherit({ descriptor: descriptor!, spin: SPIN_MS[parameters.wait] });
  const line: Line = {
    post: (message) => process.send!(message),
    next: <M>() => new Promise<M>((resolve) => process.once("message", resolve as (message: unknown) => void)),
  };
  const handle = line.next<BufferHandleData>();
  line.post("joined");
  await followFences(line, domain, domain.import(await handle), parameters);
  domain.close();
}
