import type { Agent } from "../domain/agent.js";
import { attachmentCount } from "./agent-counter.js";
import { bufferName } from "../domain/buffer-name.js";
import { bufferInode, bufferSize, exporterName, type BufferKey } from "./buffer-slot.js";
import { ReservationUser } from "../reservation/reservation-user.js";
import type { BufferTable } from "./buffer-table.js";
import { countReferences, wholeBuffers } from "./statistics.js";

/** How many importers of other agents have a line of their own. */
const MOST_LISTED = 100;

/**
 * All live buffers of the domain as text, in the columns of the kernel's `bufinfo`. The importers of this agent are
 * listed by name; those of others are counted.
 */
export function bufferInfo(agent: Agent, table: BufferTable): string {
  let text = "\nDma-buf Objects:\nsize    \tflags   \tmode    \tcount   \texp_name\tino     \tname\n";
  const lines = wholeBuffers(agent, (key) => ({ size: bufferSize(agent, key.slot), text: linesOf(agent, table, key) }));
  for (const line of lines) text += line.text;
  const bytes = lines.reduce((sum, { size }) => sum + size, 0);
  return `${text}\nTotal ${lines.length} objects, ${bytes} bytes\n`;
}

function linesOf(agent: Agent, table: BufferTable, key: BufferKey): string {
  const { slot } = key;
  const record = table.recordOf(key);
  const reservation = record?.reservation ?? ReservationUser.of(agent, slot);
  const names = [...(record?.ties ?? [])].map(({ name }) => name ?? "unnamed");
  const attached = attachmentCount(agent, slot);
  const elsewhere = Math.max(0, attached - names.length);
  names.push(...Array.from({ length: Math.min(elsewhere, MOST_LISTED) }, () => "(another agent)"));
  if (elsewhere > MOST_LISTED) names.push(`(${elsewhere - MOST_LISTED} more)`);
  const columns = [
    decimal(bufferSize(agent, slot)),
    hexadecimal(0),
    hexadecimal(0),
    decimal(countReferences(agent, slot, record?.holders ?? 0)),
    exporterName(agent, slot),
    decimal(bufferInode(agent, slot)),
    bufferName(agent, slot) || "<none>",
  ];
  const importers = names.map((name) => `\t${name}\n`).join("");
  return `${columns.join("\t")}\n${reservation.describe()}\tAttached Devices:\n${importers}Total ${attached} devices attached\n\n`;
}

function decimal(value: number): string {
  return String(value).padStart(8, "0");
}

function hexadecimal(value: number): string {
  return value.toString(16).padStart(8, "0");
}
