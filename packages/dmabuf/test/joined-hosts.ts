import type { TestContext } from "node:test";
import { Hosts, peersOf } from "../src/hosts/hosts.js";
import type { HostsOptions } from "../src/hosts/hosts-options.js";
import type { Peer, Peers } from "../src/hosts/peers.js";
import { ProcessDomain } from "../src/node/index.js";

/** A host in this process, with a domain of its own. */
export interface JoinedHost {
  readonly domain: ProcessDomain;
  readonly hosts: Hosts;
  readonly peers: Peers;
}

export const HOSTS_KEY = "a key of these tests";

/** A host that ends with the test, and whose limit no slow machine reaches. */
export async function joinHost(
  t: Pick<TestContext, "after">,
  options: Partial<HostsOptions> = {},
): Promise<JoinedHost> {
  const domain = ProcessDomain.create();
  t.after(() => domain.close());
  const key = options.servers === undefined ? { key: HOSTS_KEY } : {};
  const hosts = await Hosts.join(domain, { bind: "127.0.0.1", hostLimit: 10_000, ...key, ...options });
  t.after(() => hosts.close());
  return { domain, hosts, peers: peersOf(hosts) };
}

/** The other one, as soon as it is there. */
export function peerOf(peers: Peers, id: string): Promise<Peer> {
  return new Promise((resolve) => {
    const end = peers.onPeer((peer) => {
      if (peer.id !== id) return;
      setImmediate(() => end());
      resolve(peer);
    });
  });
}

/** Each as the other one sees it. */
export async function met(a: JoinedHost, b: JoinedHost): Promise<{ readonly a: Peer; readonly b: Peer }> {
  const [atB, atA] = await Promise.all([peerOf(b.peers, a.peers.self.id), peerOf(a.peers, b.peers.self.id)]);
  return { a: atB, b: atA };
}

/** Two hosts that have found each other by address. */
export async function twoHosts(
  t: TestContext,
  options: Partial<HostsOptions> = {},
): Promise<{ readonly a: JoinedHost; readonly b: JoinedHost; readonly seen: { readonly a: Peer; readonly b: Peer } }> {
  const a = await joinHost(t, { name: "a", ...options });
  const b = await joinHost(t, { name: "b", peers: [a.hosts.self.address], ...options });
  return { a, b, seen: await met(a, b) };
}
