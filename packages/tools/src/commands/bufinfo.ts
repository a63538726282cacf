import { Argument, type Command } from "commander";
import type { DomainSnapshot, SnapshotBuffer } from "dmabuf/node";
import { Agents, momentData } from "../domain/agents.js";
import { DOMAIN_HELP, observeWanted } from "../domain/find-domain.js";
import { kernelBuffers, type KernelBuffers } from "../kernel/kernel-buffers.js";
import { printJson } from "../terminal/output.js";
import { tableText } from "../terminal/table.js";
import { counted, nameText, paint, printable, sizeText } from "../terminal/words.js";

interface Flags {
  readonly json?: true;
  readonly kernel?: true;
}

/** `dmabuf bufinfo [DOMAIN]`. */
export function addBufinfo(program: Command): void {
  program
    .command("bufinfo")
    .description("list a domain's buffers, and the kernel's own dma-bufs that its processes have open")
    .addArgument(new Argument("[domain]", DOMAIN_HELP))
    .option("--kernel", "all of the kernel's dma-bufs, also those of other programs")
    .option("--json", "print one JSON object")
    .action(bufinfo);
}

function bufinfo(wanted: string | undefined, { json, kernel }: Flags): void {
  using observer = observeWanted(wanted);
  const snapshot = observer.snapshot();
  const processes = [
    ...new Set(snapshot.agents.map((agent) => agent.process).filter((process) => process !== undefined)),
  ];
  const found = kernelBuffers(kernel ? undefined : processes);
  if (json) printJson(bufinfoData(snapshot, found));
  else console.log(bufinfoText(snapshot, found));
}

function bufinfoData(snapshot: DomainSnapshot, kernel: KernelBuffers): object {
  const { buffers } = snapshot;
  const agents = new Agents(snapshot);
  return {
    ...momentData(snapshot),
    buffers: buffers.map((buffer) => bufferData(buffer, agents)),
    kernel,
  };
}

/** A buffer for programs: agents have their names. */
function bufferData(buffer: SnapshotBuffer, agents: Agents): object {
  const { exporter, holders, readers, writer, lockOwner, pinners } = buffer;
  const all = (identities: readonly number[]): object[] => identities.map((identity) => agents.data(identity));
  return {
    ...buffer,
    exporter: agents.data(exporter),
    holders: all(holders),
    pinners: all(pinners),
    readers: all(readers),
    ...(writer !== undefined && { writer: agents.data(writer) }),
    ...(lockOwner !== undefined && { lockOwner: agents.data(lockOwner) }),
  };
}

const COLUMNS = [
  { title: "INODE", align: "right" },
  { title: "NAME" },
  { title: "SIZE", align: "right" },
  { title: "EXPORTER" },
  { title: "HOLDERS" },
  { title: "READERS" },
  { title: "WRITER" },
  { title: "ATTACHED", align: "right" },
  { title: "FENCES" },
] as const;

function bufinfoText(snapshot: DomainSnapshot, kernel: KernelBuffers): string {
  const agents = new Agents(snapshot);
  const { buffers } = snapshot;
  const bytes = buffers.reduce((sum, { size }) => sum + size, 0);
  const rows = buffers.map((buffer) => [
    String(buffer.inode),
    nameText(buffer.name),
    sizeText(buffer.size),
    `${agents.text(buffer.exporter)}, ${printable(buffer.exporterName)}`,
    agents.texts(buffer.holders),
    agents.texts(buffer.readers),
    agents.text(buffer.writer),
    String(buffer.attachments),
    fencesText(buffer),
  ]);
  const table = rows.length === 0 ? [] : [tableText(COLUMNS, rows)];
  const total = `${counted(buffers.length, "buffer")}, ${sizeText(bytes)}, in domain ${snapshot.domain}`;
  return [...table, total, "", kernelText(kernel)].join("\n");
}

/** By usage: `write 3:13, read 4:7 (overdue)`. */
export function fencesText({ fences }: SnapshotBuffer): string {
  if (fences.length === 0) return "-";
  return fences
    .map(({ usage, fence, state }) =>
      state === "overdue" ? paint("red", `${usage} ${fence} (overdue)`) : `${usage} ${fence}`,
    )
    .join(", ");
}

const KERNEL_COLUMNS = [
  { title: "KERNEL INODE", align: "right" },
  { title: "NAME" },
  { title: "SIZE", align: "right" },
  { title: "EXPORTER" },
  { title: "REFERENCES", align: "right" },
  { title: "PROCESSES" },
  { title: "DEVICES" },
  { title: "FENCES" },
] as const;

function kernelText({ buffers, missing }: KernelBuffers): string {
  const rows = buffers.map(({ inode, name, size, exporterName, references, processes, devices, fences }) => [
    String(inode),
    nameText(name),
    sizeText(size),
    printable(exporterName),
    String(references),
    processes.length === 0 ? "-" : processes.join(" "),
    listText(devices),
    listText(fences),
  ]);
  const table = rows.length === 0 ? ["No dma-buf of the kernel is open there."] : [tableText(KERNEL_COLUMNS, rows)];
  return [...table, ...(missing === undefined ? [] : [`${missing}.`])].join("\n");
}

function listText(list: readonly string[] | undefined): string {
  if (list === undefined) return "?";
  return list.length === 0 ? "-" : list.map(printable).join(", ");
}
