/** Produces numbered frames as fast as it can, in a worker thread or a child process: each byte of one is its number modulo 251. */
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { Domain, rawFormat, type FrameStream, type Invitation } from "../../src/index.js";
import { ProcessDomain } from "../../src/node/index.js";

export interface SinkWork {
  readonly name: string;
  /** Bytes of a frame, of which there are two on their way at most. */
  readonly size: number;
  readonly frames: number;
}

/** What a worker of a domain of threads gets: such a domain has no names, so the handle is posted. */
export interface ThreadWork extends SinkWork {
  readonly invitation: Invitation;
}

if (isMainThread) {
  const domain = await ProcessDomain.inherit();
  const work = JSON.parse(process.argv[2]!) as SinkWork;
  produce(domain.createStream(options(work)), work);
  domain.close();
} else {
  const work = workerData as ThreadWork;
  const domain = Domain.join(work.invitation);
  const stream = domain.createStream(options(work));
  parentPort!.postMessage(stream.handle());
  produce(stream, work);
  await new Promise((told) => parentPort!.once("message", told));
  domain.close();
}

function options({ name, size }: SinkWork) {
  return { name, format: rawFormat(size), buffers: 2 };
}

function produce(stream: FrameStream, { frames }: SinkWork): void {
  stream.waitForConsumersSync(1);
  for (let n = 0; n < frames; n++) {
    using loan = stream.loanSync();
    loan!.bytes.fill(n % 251);
    loan!.publish();
  }
  stream.end();
}
