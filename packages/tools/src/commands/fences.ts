import { Argument, type Command } from "commander";
import type { DomainSnapshot, SnapshotFence } from "dmabuf/node";
import { Agents, momentData } from "../domain/agents.js";
import { DOMAIN_HELP, observeWanted } from "../domain/find-domain.js";
import { printJson } from "../terminal/output.js";
import { tableText } from "../terminal/table.js";
import { counted, durationText, nameText, paint } from "../terminal/words.js";

/** `dmabuf fences [DOMAIN]`. */
export function addFences(program: Command): void {
  program
    .command("fences")
    .description(
      "list the fences that are pending, by timeline: how old they are, who signals them, who waits for them",
    )
    .addArgument(new Argument("[domain]", DOMAIN_HELP))
    .option("--json", "print one JSON object")
    .action(fences);
}

function fences(wanted: string | undefined, { json }: { readonly json?: true }): void {
  using observer = observeWanted(wanted);
  const snapshot = observer.snapshot();
  if (json) printJson(fencesData(snapshot));
  else console.log(fencesText(snapshot));
}

function fencesData(snapshot: DomainSnapshot): object {
  const { at, timelines } = snapshot;
  const agents = new Agents(snapshot);
  return {
    ...momentData(snapshot),
    fences: pendingFences(snapshot).map((fence) => {
      const { since, owner, awaitedBy } = fence;
      return {
        ...fence,
        ...(since !== undefined && { age: at - since }),
        owner: agents.data(owner),
        awaitedBy: awaitedBy.map((identity) => agents.data(identity)),
      };
    }),
    timelines: timelines.map((timeline) => ({ ...timeline, owner: agents.data(timeline.owner) })),
  };
}

/** By timeline, then by number. */
export function pendingFences({ fences: all }: DomainSnapshot): SnapshotFence[] {
  return [...all].sort((one, other) => one.context - other.context || one.seqno - other.seqno);
}

const COLUMNS = [
  { title: "TIMELINE" },
  { title: "FENCE", align: "right" },
  { title: "AGE", align: "right" },
  { title: "OWNER" },
  { title: "AWAITED BY" },
  { title: "BUFFERS" },
] as const;

function fencesText(snapshot: DomainSnapshot): string {
  const agents = new Agents(snapshot);
  const pending = pendingFences(snapshot);
  const { timelines, domain, at } = snapshot;
  if (pending.length === 0)
    return `No fence is pending in domain ${domain} (${counted(timelines.length, "timeline")}).`;
  const names = new Map(snapshot.buffers.map(({ inode, name }) => [inode, name]));
  const rows = pending.map(({ name, id, since, overdue, owner, awaitedBy, buffers }) => [
    nameText(name),
    id,
    ageText(at, since, overdue),
    agents.text(owner),
    agents.texts(awaitedBy),
    buffers.length === 0
      ? "-"
      : buffers.map(({ inode, usage }) => `${nameText(names.get(inode) || String(inode))} (${usage})`).join(", "),
  ]);
  const contexts = new Set(pending.map(({ context }) => context)).size;
  const total = `${counted(pending.length, "fence")} pending on ${counted(contexts, "timeline")} in domain ${domain}`;
  return `${tableText(COLUMNS, rows)}\n${total}`;
}

/** "?" if it is not known since when; a fence without a wait that lasts has no time. */
export function ageText(at: number, since: number | undefined, overdue: boolean): string {
  const age = since === undefined ? "?" : durationText(at - since);
  return overdue ? paint("red", `${age} (overdue)`) : age;
}
