/** For tests: hosts in one process that relay streams, on the loopback interface. Their sockets and their memory are real. */
import type { TestContext } from "node:test";
import type { HostsOptions } from "../src/hosts/hosts-options.js";
import { joinHost, type JoinedHost as TestHost } from "./joined-hosts.js";

export type { TestHost };

/** A host, which connects to others. It ends with the test. */
export async function hostOf(
  t: Pick<TestContext, "after">,
  others: readonly TestHost[] = [],
  options: Partial<HostsOptions> = {},
): Promise<TestHost> {
  const peers = others.map(({ hosts }) => hosts.self.address);
  return joinHost(t, { hostLimit: 5_000, peers, ...options });
}

/** Two hosts that have found each other, or will. */
export async function twoRelaying(
  t: Pick<TestContext, "after">,
  options: Partial<HostsOptions> = {},
): Promise<[TestHost, TestHost]> {
  const a = await hostOf(t, [], { name: "a", ...options });
  return [a, await hostOf(t, [a], { name: "b", ...options })];
}
