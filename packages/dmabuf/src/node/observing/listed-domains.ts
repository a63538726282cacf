import { readFileSync } from "node:fs";
import { placeOf } from "../../domain/agent-slot.js";
import { LAYOUT_VERSION } from "../../domain/layout.js";
import { DmaBufError } from "../../errors.js";
import { domainsAmong, type DomainFound } from "./find-domains.js";
import { findAgents, processesOf, type ObservedAgent } from "./observed-agents.js";
import { ObservedSegment, versionOf } from "./observed-segment.js";
import { allDescriptors, userOf, type ProcessDescriptor } from "./processes.js";

/** A domain of processes of this machine. */
export interface ListedDomain {
  /** The domain, as its handles name it; "" if it cannot be observed. */
  readonly domain: string;
  /** The numbers of the processes that have its files open, the lowest first. */
  readonly processes: readonly number[];
  /** Its agents; none if it cannot be observed. */
  readonly agents: readonly ObservedAgent[];
  /** Where its agents listen: a path, or "@" and an abstract name. Of an agent that listens at several, the latest. */
  readonly places: readonly string[];
  /** The user whose processes these are, by number. */
  readonly user: number;
  /** The version of its control segment's layout, if that can be read. */
  readonly layoutVersion?: number;
  /** Why it cannot be observed, if it cannot. */
  readonly refused?: string;
}

/** A process that this one may not look into: whether it is in a domain is not known. */
export interface HiddenProcess {
  /** Its number. */
  readonly process: number;
  /** Whose it is, by number. */
  readonly user: number;
  /** What the kernel calls it: mostly the name of its program. */
  readonly command: string;
}

/** What `ProcessDomain.domains()` gives. */
export interface DomainList {
  /** In the order of their first processes. */
  readonly domains: readonly ListedDomain[];
  /** The processes that this one may not look into: that needs the rights of ptrace, those of the same user, mostly. */
  readonly hidden: readonly HiddenProcess[];
}

/** All domains of processes that may be looked into. */
export function listDomains(): DomainList {
  const hidden: HiddenProcess[] = [];
  const descriptors = allDescriptors((process) => hidden.push(...hiddenProcess(process)));
  const domains = domainsAmong(descriptors).map((found) => listed(found, descriptors));
  const present = domains.filter((domain) => domain !== undefined);
  return { domains: present.sort((a, b) => a.processes[0]! - b.processes[0]!), hidden };
}

/** Nothing if it is not made yet, all its agents have left, or all its processes have ended since. */
function listed(found: DomainFound, descriptors: readonly ProcessDescriptor[]): ListedDomain | undefined {
  const processes = [...new Set(found.controls.map(({ pid }) => pid))].sort((a, b) => a - b);
  const user = processes.map(userOf).find((uid) => typeof uid === "number");
  if (user === undefined) return undefined;
  try {
    const segment = ObservedSegment.open(found);
    if (segment === undefined) return undefined;
    try {
      const agents = findAgents(
        segment,
        processesOf(segment, () => descriptors),
      );
      if (agents.length === 0) return undefined;
      const living = agents.filter(({ state }) => state !== "dead");
      const places = living.map(({ identity }) => placeOf(segment, identity)).filter((place) => place !== "");
      const plain = agents.map(({ name, process, state }) => ({ name, process, state }));
      return { domain: segment.domain, processes, agents: plain, places, user, layoutVersion: LAYOUT_VERSION };
    } finally {
      segment.close();
    }
  } catch (error) {
    if (!(error instanceof DmaBufError)) throw error;
    const layoutVersion = versionOf(found);
    const version = layoutVersion === undefined ? {} : { layoutVersion };
    return { domain: "", processes, agents: [], places: [], user, ...version, refused: error.message };
  }
}

function hiddenProcess(process: number): HiddenProcess[] {
  const user = userOf(process);
  try {
    // A thread of the kernel has no command line, and is in no domain.
    if (typeof user !== "number" || readFileSync(`/proc/${process}/cmdline`).length === 0) return [];
    return [{ process, user, command: readFileSync(`/proc/${process}/comm`, "utf8").trimEnd() }];
  } catch {
    // It has just ended.
    return [];
  }
}
