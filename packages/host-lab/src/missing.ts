import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";
import { run } from "./run.js";

/** What a test of hosts may need: namespaces and their network, rules that lose packets, a NATS server. */
export type Need = "network" | "loss" | "nats";

const PROGRAMS: Record<Need, readonly (readonly [program: string, of: string])[]> = {
  network: [
    ["ip", "iproute2"],
    ["tc", "iproute2"],
    ["nsenter", "util-linux"],
  ],
  loss: [["nft", "nftables"]],
  nats: [["nats-server", "nats-server"]],
};

/** Where Debian has programs of administrators, which need not be in the path of a shell. */
const PLACES = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"];

/**
 * Says why this machine cannot have such hosts, as the reason to skip a test.
 *
 * @returns What is missing, with the name of its package; `undefined` if it is all there. With `CI=true` it is always
 *   `undefined`: making the lab then fails with that sentence, and so does the test.
 */
export function missing(...needs: readonly Need[]): string | undefined {
  return process.env["CI"] === "true" ? undefined : lack(...needs);
}

/** What is missing, also in CI. */
export function lack(...needs: readonly Need[]): string | undefined {
  for (const need of needs) {
    for (const [program, of] of PROGRAMS[need]) {
      if (!isInstalled(program)) return `There is no ${program} here (Debian's package ${of})`;
    }
  }
  return needs.includes("network") ? whyNoNamespace() : undefined;
}

function isInstalled(program: string): boolean {
  return PLACES.some((place) => isExecutable(join(place, program)));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Root of a container may make no namespace either: it is tried, once. */
function whyNoNamespace(): string | undefined {
  if (process.getuid?.() !== 0) return "Only root makes network namespaces with names";
  tried ??= tryNamespace();
  return tried === "" ? undefined : tried;
}

let tried: string | undefined;

function tryNamespace(): string {
  try {
    run("unshare", ["--net", "ip", "link", "add", "one", "type", "veth", "peer", "name", "other"]);
    return "";
  } catch (error) {
    return `No network namespace can be made here: ${(error as Error).message}`;
  }
}
