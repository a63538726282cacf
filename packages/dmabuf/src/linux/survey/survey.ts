import { readFileSync } from "node:fs";
import { arch, release } from "node:os";
import { capabilities } from "../../node/capabilities.js";
import { whyUnavailable } from "../../node/system-calls/index.js";
import { surveyAllocators } from "./allocators.js";
import { surveyDevices } from "./devices.js";
import type { Finding } from "./finding.js";

/** What a machine has of all that this library can use. */
export interface Survey {
  /** The operating system and processor, as "linux 6.6.0 on x64". */
  readonly system: string;
  /** The version of Node.js, as "v22.1.0". */
  readonly node: string;
  /** Domains of threads work on every system; the rest is here. */
  readonly findings: readonly Finding[];
}

/** From this many descriptors on, buffers between processes seldom run out of them. */
const ENOUGH_DESCRIPTORS = 4096;

/**
 * Looks at this machine. Everything is tried for real, and nothing is left behind. Never throws. `npx dmabuf doctor`
 * prints it.
 *
 * @example
 * ```ts
 * import { survey } from "dmabuf/linux";
 *
 * const { system, findings } = survey();
 * console.log(system);
 * for (const { name, state, advice } of findings) console.log(name, state, advice ?? "");
 * ```
 */
export function survey(): Survey {
  return {
    system: `${process.platform} ${release()} on ${arch()}`,
    node: process.version,
    findings: whyUnavailable() === undefined ? surveyLinux() : [systemCalls()],
  };
}

function surveyLinux(): Finding[] {
  return [systemCalls(), ...surveyProcesses(), descriptorLimit(), ...surveyAllocators(), ...surveyDevices()];
}

function systemCalls(): Finding {
  const subject = { name: "system calls", use: "everything beyond threads" };
  const reason = whyUnavailable();
  if (reason === undefined) return { ...subject, state: "ok", detail: "koffi is loaded" };
  const advice = "Use Linux on a 64-bit processor, and install the package with its dependencies.";
  return { ...subject, state: "absent", detail: reason, advice };
}

function surveyProcesses(): Finding[] {
  const use = "buffers, fences and streams between processes";
  const { missing } = capabilities();
  if (missing.length === 0) return [{ name: "processes", use, state: "ok", detail: "all calls that they need work" }];
  return missing.map(({ name, reason, code }) => ({
    name: `processes: ${name}`,
    use,
    state: code === "EPERM" || code === "EACCES" ? "forbidden" : "absent",
    detail: reason,
    advice: "Mostly a sandbox forbids it: see its filter of system calls (seccomp).",
  }));
}

function descriptorLimit(): Finding {
  const subject = { name: "descriptors", use: "each buffer between processes takes a few" };
  try {
    const [, soft = "0", hard = "0"] = /^Max open files\s+(\S+)\s+(\S+)/m.exec(
      readFileSync("/proc/self/limits", "utf8"),
    )!;
    const detail = `${soft} at once (ulimit -n), ${hard} at most (ulimit -Hn)`;
    if (soft === "unlimited" || Number(soft) >= ENOUGH_DESCRIPTORS) return { ...subject, state: "ok", detail };
    const advice = `Raise it where the program starts: ulimit -n ${ENOUGH_DESCRIPTORS}.`;
    return { ...subject, state: "failed", detail, advice };
  } catch {
    return { ...subject, state: "failed", detail: "the limit could not be read", advice: "Mount /proc." };
  }
}
