import { Hosts } from "../../src/hosts/index.js";
import { makeHostQueue } from "../../src/hosts/jobs/host-queue.js";
import { ProcessWorld } from "./node.js";
import type { Exceptions } from "./nonsense.js";

/** What the functions of `dmabuf/hosts` are called on and with, rightly. */

const KEY = "a key of these tests";
const JOIN = { bind: "127.0.0.1", key: KEY };

/** A domain with a host of its own. */
export class HostsWorld extends ProcessWorld {
  readonly joined: Hosts[] = [];

  async hosts(): Promise<Hosts> {
    const hosts = await Hosts.join(this.domain, JOIN);
    this.joined.push(hosts);
    return hosts;
  }

  override close(): void {
    for (const hosts of this.joined) void hosts.close();
    super.close();
  }
}

export const RECEIVERS: Readonly<Record<string, (world: HostsWorld) => object | Promise<object>>> = {
  Hosts: (world) => world.hosts(),
  // Without the server that `Hosts.createQueue()` needs: none of what is refused comes so far.
  HostQueue: ({ domain }) => makeHostQueue(domain, { name: "jobs" }, () => Promise.resolve()),
};

export const VALID: Readonly<Record<string, (world: HostsWorld, receiver: Hosts) => readonly unknown[]>> = {
  "Hosts.join()": ({ domain }) => [domain, JOIN],
  "Hosts.connect()": ({ domain }) => [domain, { timeout: 5_000 }],
  "Hosts.onHost()": () => [() => {}],
  "Hosts.onRelay()": () => [() => {}],
  "Hosts.share()": ({ domain }) => [domain.createFence({ driverName: "a", timelineName: "b" })],
  "Hosts.fence()": ({ domain }, hosts) => [
    hosts.share(domain.createFence({ driverName: "a", timelineName: "b" })),
    { timeout: 10 },
  ],
  "Hosts.createQueue()": () => [{ name: "jobs" }],
  "Hosts.work()": () => ["jobs", {}, () => {}],
  "Hosts.findStream()": () => ["camera", { timeout: 0 }],
  "Hosts.follow()": () => ["camera", {}],
  "HostQueue.submit()": ({ domain }) => [{ reads: [domain.allocate(1)], writes: [domain.allocate(1)] }, {}],
};

export const EXCEPTIONS: Exceptions = {
  // The client's own options are not described here, and without servers they are not looked at.
  "Hosts.join() options.nats": ["{}", "a date", "a throwing proxy"],
  // Any text that is long enough is a key.
  "Hosts.join() options.key": ["100 kB of text"],
  // It is made JSON when a worker gets the job: the fence fails then.
  "HostQueue.submit() request.data": ["*"],
};
