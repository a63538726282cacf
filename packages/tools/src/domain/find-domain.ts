import { existsSync } from "node:fs";
import { userInfo } from "node:os";
import { resolve } from "node:path";
import { ProcessDomain, type DomainObserver, type HiddenProcess, type ListedDomain } from "dmabuf/node";
import { EXIT } from "../exit-codes.js";
import { CommandError } from "../failures.js";
import { counted } from "../terminal/words.js";
import { domainsTable } from "./domains-table.js";
import { userName } from "./users.js";

/** What the argument is called in each `--help`. */
export const DOMAIN_HELP =
  "the beginning of its id, the number of one of its processes, or where one listens (a path, or @name); needed if there are several";

/**
 * Looks at the domain that a person means.
 *
 * @param wanted See {@link DOMAIN_HELP}. Default: the only one that there is.
 * @throws {CommandError} `EXIT.NOTHING` if there is none, `EXIT.USAGE` if several are meant.
 * @throws {DmaBufError} If it may not be observed: it says which right is missing.
 */
export function observeWanted(wanted: string | undefined): DomainObserver {
  const { domains, hidden } = ProcessDomain.domains();
  const meant = wanted === undefined ? domains : domainsMeant(domains, wanted);
  if (meant.length === 1) return observe(meant[0]!);
  if (meant.length > 1) throw new CommandError(EXIT.USAGE, severalText(meant, wanted));
  if (wanted === undefined) throw new CommandError(EXIT.NOTHING, noneText(hidden));
  // It is not among those that may be seen: the library's error says why.
  if (isNumber(wanted)) return ProcessDomain.observe(Number(wanted));
  if (wanted.startsWith("@") || wanted.includes("/") || existsSync(wanted)) return ProcessDomain.observe(wanted);
  const there = domains.length === 0 ? noneText(hidden) : `There are:\n${domainsTable(domains)}`;
  throw new CommandError(EXIT.NOTHING, `No domain's id begins with "${wanted}". ${there}`);
}

/** Says that no domain was found, and whose processes could not be looked into. */
export function noneText(hidden: readonly HiddenProcess[]): string {
  const none =
    "No process that may be looked into is in a domain of dmabuf/node (a domain of threads alone cannot be seen).";
  return hidden.length === 0 ? none : `${none}\n${hiddenText(hidden)}`;
}

/** Says whose processes may not be looked into, and what to do about it. */
export function hiddenText(hidden: readonly HiddenProcess[]): string {
  const byUser = new Map<number, number>();
  for (const { user } of hidden) byUser.set(user, (byUser.get(user) ?? 0) + 1);
  const whose = [...byUser].map(([user, count]) => `${userName(user)} (${count})`).join(", ");
  const { username, uid } = userInfo();
  const advice =
    uid === 0 ? "here root lacks them" : "run it as that user, or with CAP_SYS_PTRACE, which root has (sudo)";
  return (
    `${counted(hidden.length, "process", "processes")} may not be looked into by user ${username}: of ${whose}. ` +
    `This needs the rights of ptrace: ${advice}.`
  );
}

function domainsMeant(domains: readonly ListedDomain[], wanted: string): ListedDomain[] {
  const inProcess = isNumber(wanted) ? domains.filter(({ processes }) => processes.includes(Number(wanted))) : [];
  if (inProcess.length > 0) return inProcess;
  const place = wanted.startsWith("@") ? wanted : resolve(wanted);
  const atPlace = domains.filter(({ places }) => places.includes(place));
  if (atPlace.length > 0) return atPlace;
  return /^[0-9a-f]+$/.test(wanted) ? domains.filter(({ domain }) => domain.startsWith(wanted)) : [];
}

function observe({ domain, processes, refused }: ListedDomain): DomainObserver {
  // What cannot be observed has no id that is known: the library's error says why.
  if (refused !== undefined) return ProcessDomain.observe(processes[0]!);
  return ProcessDomain.observe(processes[0]!, { domain });
}

function severalText(domains: readonly ListedDomain[], wanted: string | undefined): string {
  const problem =
    wanted === undefined ? `There are ${domains.length} domains` : `"${wanted}" may be ${domains.length} domains`;
  return `${problem}: say which one, by the beginning of its id.\n${domainsTable(domains)}`;
}

function isNumber(text: string): boolean {
  return /^[1-9]\d{0,9}$/.test(text);
}
