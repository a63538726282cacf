import type { TraceEvent, TraceFile } from "dmabuf/node";
import { tableText } from "../terminal/table.js";
import { counted, durationText, nameText, printable } from "../terminal/words.js";
import { inOrder } from "./flows.js";

/** Who has traced, and how each of them ended. */
export function tracersText(files: readonly TraceFile[]): string {
  const newest = newestIn(files);
  const rows = files.map(({ agent, events, lost, hasLeft }) => {
    const last = events.at(-1);
    return [
      nameText(agent.name),
      String(agent.process),
      hasLeft ? "has left" : isThere(agent.process) ? "is there" : "has died",
      `${events.length}${lost > 0 ? ` (${lost} older lost)` : ""}`,
      last === undefined ? "-" : `${durationText(newest - last.at)} before the last`,
    ];
  });
  return tableText(
    [{ title: "AGENT" }, { title: "PROCESS" }, { title: "STATE" }, { title: "EVENTS" }, { title: "LAST" }],
    rows,
  );
}

/** The last events of all agents, the latest below; with the time before the last one. */
export function historyText(files: readonly TraceFile[], most: number): string {
  const events = inOrder(files);
  const shown = most === 0 ? [] : events.slice(-most);
  if (shown.length === 0) return "";
  const newest = newestIn(files);
  const names = new Map(files.map(({ agent }) => [agent.identity, agent.name]));
  const rows = shown.map((event) => [
    `-${durationText(newest - event.at)}`,
    nameText(names.get(event.agent) ?? ""),
    event.point,
    printable(event.name ?? ""),
    printable(detailsOf(event)),
  ]);
  const left = events.length - shown.length;
  const more = left > 0 ? `${counted(left, "earlier event")}: --last ${events.length} shows all\n` : "";
  return (
    more +
    tableText(
      [
        { title: "BEFORE", align: "right" },
        { title: "AGENT" },
        { title: "WHAT" },
        { title: "THING" },
        { title: "MORE" },
      ],
      rows,
    )
  );
}

function newestIn(files: readonly TraceFile[]): number {
  return files.reduce((newest, { events }) => Math.max(newest, events.at(-1)?.at ?? 0), 0);
}

function detailsOf({ point, at, agent, thing, name, ...rest }: TraceEvent): string {
  void [point, at, agent, name];
  const words = Object.entries(rest).flatMap(([key, value]) =>
    value === undefined || SAID.has(key) ? [] : [key === "text" ? String(value) : `${key} ${value}`],
  );
  return [thing, ...words].join(" ");
}

/** They are in the thing's own name. */
const SAID: ReadonlySet<string> = new Set(["context", "seqno", "inode", "slot", "generation"]);

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
