/** The agent of the demo's first host: a member of its domain, by which the frames there go to other hosts. */
import { copiedBytes } from "dmabuf";
import { Hosts } from "dmabuf/hosts";
import { ProcessDomain } from "dmabuf/node";
import { openEndpoint, work } from "./endpoint.js";
import type { Failed } from "./failure.js";

/** What an agent is started with, of either host. */
export interface GivenAgent {
  /** The address of its host. */
  readonly bind: string;
  readonly key: string;
  /** Milliseconds of silence. */
  readonly hostLimit: number;
}

export type FromAgent =
  /** Other hosts find it at this address. */
  | { readonly kind: "listening"; readonly address: string }
  | { readonly kind: "left"; readonly bytesCopied: number }
  | Failed;

const endpoint = openEndpoint<GivenAgent, FromAgent>();
await work(endpoint, async () => {
  using domain = await ProcessDomain.inherit({ name: "agent" });
  await using hosts = await Hosts.join(domain, { name: "first", ...endpoint.given });
  const end = new Promise((resolve) => endpoint.hear(resolve));
  endpoint.tell({ kind: "listening", address: hosts.self.address });
  await end;
  endpoint.tell({ kind: "left", bytesCopied: copiedBytes() });
});
