import { DmaBufError } from "dmabuf";
import { ProcessDomain, type DomainObserver } from "dmabuf/node";

/**
 * Looks at the domain that a person has named: the number of a process, a place, or the domain as `dmabuf ls` shows it.
 *
 * @throws {DmaBufError} As `ProcessDomain.observe()`; `ENOENT` if there is no such domain.
 */
export function openDomain(where: string): DomainObserver {
  if (/^\d{1,10}$/.test(where)) return ProcessDomain.observe(Number(where));
  if (isPlace(where)) return ProcessDomain.observe(where);
  const found = ProcessDomain.domains().domains.find(({ domain }) => domain === where);
  const process = found?.processes[0];
  if (process !== undefined) return ProcessDomain.observe(process, { domain: where });
  throw new DmaBufError("ENOENT", `Cannot observe the domain ${where}: there is none of that name on this machine`);
}

/** A place keeps its meaning when its domain has ended. */
export function isPlace(where: string): boolean {
  return !/^(\d{1,10}|[0-9a-f]{32})$/.test(where);
}

/**
 * The domain that is meant where none is named.
 *
 * @throws {DmaBufError} `ENOENT` if there is none, `EINVAL` if there are several.
 */
export function theOnlyDomain(): string {
  const { domains } = ProcessDomain.domains();
  const [only, ...others] = domains;
  if (only === undefined) {
    throw new DmaBufError("ENOENT", "Cannot find a domain: no process of dmabuf/node runs that may be looked into");
  }
  if (others.length === 0) return only.domain;
  const list = domains.map(({ domain, agents }) => `  ${domain} of ${agents.map(({ name }) => name).join(", ")}`);
  throw new DmaBufError("EINVAL", `There are ${domains.length} domains. Name one of them:\n${list.join("\n")}`);
}
