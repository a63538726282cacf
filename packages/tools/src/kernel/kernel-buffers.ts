import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";

/**
 * The kernel's own dma-bufs, as debugfs tells of all of them (root alone may read it), and `/proc` of those that processes
 * have open as descriptors.
 *
 * kernel-buffers.1. Nothing is opened: what a device does at an open, or a close, is not done.
 */

/** Where the kernel tells of all of them. */
const BUFINFO = "/sys/kernel/debug/dma_buf/bufinfo";

/** One dma-buf of the kernel. */
export interface KernelBuffer {
  /** The kernel's number of it; no number of a domain. */
  readonly inode: number;
  /** "" if it has none. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly exporterName: string;
  /** Descriptors, mappings and uses by devices. */
  readonly references: number;
  /** The processes that have a descriptor of it, as far as they may be looked into. */
  readonly processes: readonly number[];
  /** The fences of its reservation, as the kernel describes them; unknown without debugfs. */
  readonly fences?: readonly string[];
  /** The devices that are attached; unknown without debugfs. */
  readonly devices?: readonly string[];
}

/** What the kernel tells, and what it does not. */
export interface KernelBuffers {
  readonly buffers: readonly KernelBuffer[];
  /** Why debugfs tells nothing, and what to do; none if it does. */
  readonly missing?: string;
}

/**
 * What the kernel tells.
 *
 * @param processes Of these processes alone. Default: all that there is.
 */
export function kernelBuffers(processes?: readonly number[]): KernelBuffers {
  const open = openBuffers(processes ?? allProcesses());
  let listed: Map<number, KernelBuffer>;
  let missing: string | undefined;
  try {
    listed = new Map(parseBufferInfo(readFileSync(BUFINFO, "utf8")).map((buffer) => [buffer.inode, buffer]));
  } catch (error) {
    listed = new Map();
    missing = missingText(error as NodeJS.ErrnoException);
  }
  const inodes = new Set([...open.keys(), ...(processes === undefined ? listed.keys() : [])]);
  const buffers = [...inodes].map((inode): KernelBuffer => {
    const known = { ...open.get(inode), ...listed.get(inode) } as KernelBuffer;
    return { ...known, processes: open.get(inode)?.processes ?? [] };
  });
  return { buffers: buffers.sort((one, other) => one.inode - other.inode), ...(missing !== undefined && { missing }) };
}

function missingText({ code, message }: NodeJS.ErrnoException): string {
  if (code === "ENOENT") {
    return `There is no ${BUFINFO}: debugfs is not mounted (mount -t debugfs none /sys/kernel/debug), or this kernel tells of no dma-bufs there`;
  }
  if (code !== "EACCES" && code !== "EPERM") return `${BUFINFO} cannot be read: ${message}`;
  return `${BUFINFO} may be read by root alone (sudo): without it, dma-bufs that no process has open, fences and devices are not seen`;
}

/** size, flags, mode, count, exp_name, ino, name: as `dma_buf_debug_show` writes them. */
const LINE = /^(\d{8,})\t[0-9a-f]{8}\t[0-9a-f]{8}\t(\d{8,})\t(.*)\t(\d{8,})\t(.*)$/;

/** Reads the text of debugfs. Lines that are not known are left out: a later kernel may have more. */
export function parseBufferInfo(text: string): KernelBuffer[] {
  const buffers: (KernelBuffer & { fences: string[]; devices: string[] })[] = [];
  let isInDevices = false;
  for (const line of text.split("\n")) {
    const [, size, references, exporterName, inode, name] = LINE.exec(line) ?? [];
    if (inode !== undefined) {
      isInDevices = false;
      buffers.push({
        inode: Number(inode),
        name: name === "<none>" ? "" : name!,
        size: Number(size),
        exporterName: exporterName!,
        references: Number(references),
        processes: [],
        fences: [],
        devices: [],
      });
      continue;
    }
    const told = line.trim();
    if (told === "Attached Devices:") isInDevices = true;
    else if (/^Total \d+ /.test(told)) isInDevices = false;
    else if (isInDevices && told !== "") buffers.at(-1)?.devices.push(told);
    else if (/ fence:/.test(told)) buffers.at(-1)?.fences.push(told.replace(/\s+/g, " "));
  }
  return buffers;
}

function allProcesses(): number[] {
  return readdirSync("/proc").map(Number).filter(Number.isInteger);
}

/** What these processes have descriptors of; a process that may not be looked into has none here. */
function openBuffers(processes: readonly number[]): Map<number, KernelBuffer & { readonly processes: number[] }> {
  const found = new Map<number, KernelBuffer & { readonly processes: number[] }>();
  for (const pid of processes) {
    for (const descriptor of unlessRefused(() => readdirSync(`/proc/${pid}/fd`)) ?? []) {
      const path = `/proc/${pid}/fd/${descriptor}`;
      if (unlessRefused(() => readlinkSync(path))?.startsWith("/dmabuf:") !== true) continue;
      const inode = unlessRefused(() => statSync(path).ino);
      const info = unlessRefused(() => readFileSync(`/proc/${pid}/fdinfo/${descriptor}`, "utf8"));
      if (inode === undefined || info === undefined) continue;
      const known = found.get(inode) ?? { ...parseDescriptorInfo(info), inode, processes: [] };
      if (!known.processes.includes(pid)) known.processes.push(pid);
      found.set(inode, known);
    }
  }
  return found;
}

/** Reads what `/proc/PID/fdinfo` tells of a dma-buf. */
function parseDescriptorInfo(text: string): Omit<KernelBuffer, "inode" | "processes"> {
  const field = (name: string): string | undefined => new RegExp(`^${name}:\t(.*)$`, "m").exec(text)?.[1];
  return {
    name: field("name") ?? "",
    size: Number(field("size") ?? 0),
    exporterName: field("exp_name") ?? "",
    references: Number(field("count") ?? 0),
  };
}

/** What is `undefined` if the process has gone, or may not be looked into. */
function unlessRefused<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
