/** The second host of the demo: a domain of its own, to which another host's frames come, and the consumers of them. */
import { copiedBytes } from "dmabuf";
import { Hosts } from "dmabuf/hosts";
import { ProcessDomain } from "dmabuf/node";
import type { ConsumerReport } from "./consumer.js";
import { Consumers } from "./consumers.js";
import { openEndpoint, work } from "./endpoint.js";
import type { Failed } from "./failure.js";
import type { GivenAgent } from "./first-host.worker.js";
import type { JobName, JobSettings, Note } from "./jobs/job.js";
import type { Given } from "./stream.worker.js";
import { startProcess } from "./worker-handle.js";

/** What it is started with. */
export interface GivenHost extends GivenAgent {
  readonly consumers: readonly JobSettings[];
  /** The stream's name. */
  readonly stream: string;
  readonly buffers: number;
  /** Where the first host is. */
  readonly peer: string;
}

export type FromHost =
  /** All consumers have joined the stream, in these processes. */
  | { readonly kind: "joined"; readonly processes: readonly number[] }
  | { readonly kind: "note"; readonly note: Note }
  | {
      readonly kind: "reports";
      readonly reports: readonly (readonly [JobName, ConsumerReport])[];
      /** By this process. */
      readonly bytesCopied: number;
    }
  | Failed;

/** Milliseconds for the hosts to find each other. */
const FIND_LIMIT = 30_000;
const ENTRY = new URL("./stream.worker.js", import.meta.url);

const endpoint = openEndpoint<GivenHost, FromHost>();
await work(endpoint, () => serve(endpoint.given));

async function serve({ consumers, stream: name, buffers, peer, bind, key, hostLimit }: GivenHost): Promise<void> {
  using domain = ProcessDomain.create({ name: "second host" });
  await using hosts = await Hosts.join(domain, { name: "second", bind, key, hostLimit, peers: [peer] });
  // Every frame comes here, and those that want only the newest miss the others here.
  const credits = Math.max(1, buffers - 1);
  const stream = await hosts.findStream(name, { policy: "block", credits, timeout: FIND_LIMIT });
  let fail = (_error: Error): void => {};
  const failed = new Promise<never>((_resolve, reject) => (fail = reject));
  failed.catch(() => {});
  await using workers = new Consumers(
    consumers,
    (settings, events) => {
      const given: Given = { settings, way: { stream: name } };
      return startProcess(ENTRY, given, events, { domain });
    },
    { onNote: (note) => endpoint.tell({ kind: "note", note }), onFailure: fail },
  );
  await workers.ready();
  while (stream.consumers < consumers.length) await Promise.race([failed, soon()]);
  stream.close();
  endpoint.tell({ kind: "joined", processes: workers.processes });
  const reports = [...(await workers.reports())];
  await workers[Symbol.asyncDispose]();
  endpoint.tell({ kind: "reports", reports, bytesCopied: copiedBytes() });
}

function soon(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 2));
}
