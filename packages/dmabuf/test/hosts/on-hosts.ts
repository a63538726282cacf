/** What the tests on several hosts have in common. */
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Lab, missing, Party, type LabHost } from "dmabuf-host-lab";
import type { HostsOptions } from "../../src/hosts/index.js";
import { planting, type PlantedName } from "./planted.js";

const KEY = "what all hosts of the lab know";
const PORT = 7_400;

const skip = missing("network", "loss") ?? false;
if (skip !== false) console.error(`hosts: skipped: ${skip}`);
export const ON_HOSTS = { skip, timeout: 240_000 };

const PROGRAM = new URL("host-party.js", import.meta.url);

export function makeLab(t: TestContext, hosts = 2): Lab {
  const lab = Lab.create(hosts);
  t.after(() => lab.close());
  return lab;
}

function startOn(t: TestContext, host: LabHost, fault?: PlantedName): Party {
  const party = new Party(PROGRAM, { host, ...planting(fault) });
  t.after(() => party.kill());
  return party;
}

/** Makes a domain on each host of a lab, and an agent of it that finds all others by their addresses. */
export async function joinAll(
  t: TestContext,
  { hosts }: Lab,
  options: Partial<HostsOptions> = {},
  fault?: PlantedName,
): Promise<readonly Party[]> {
  const peers = hosts.map(({ address }) => `${address}:${PORT}`);
  return Promise.all(
    hosts.map(async (host) => {
      const agent = startOn(t, host, fault);
      await agent.ask("listen", "@host");
      const { name, address } = host;
      await agent.ask("join", { name, bind: address, port: PORT, peers, key: KEY, ...options });
      return agent;
    }),
  );
}

/** A host, as another one tells of it. */
export interface Told {
  readonly id: string;
  readonly name: string;
  readonly incarnation: number;
  readonly reason?: string;
}

export function told(agent: Party, what: "found" | "lost"): Told[] {
  return agent.news.filter(({ news }) => news === what).map(({ body }) => body as Told);
}

/** Looks again and again; the test's timeout is the limit. */
export async function until(ready: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await ready())) await sleep(10);
}

/** Each has found all others. */
export async function allThere(agents: readonly Party[]): Promise<void> {
  await until(async () => {
    const lists = await Promise.all(agents.map((agent) => agent.ask<Told[]>("list")));
    return lists.every(({ length }) => length === agents.length - 1);
  });
}
