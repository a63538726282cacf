import { fork, type ChildProcess, type ForkOptions, type StdioOptions } from "node:child_process";
import { env } from "node:process";
import { getEnvironmentData, setEnvironmentData } from "node:worker_threads";
import { DmaBufError } from "../../errors.js";
import type { DomainFiles } from "./domain-files.js";
import type { InvitationEnds } from "./invitation.js";

/**
 * How a domain is found by processes and threads that a member has started: what is left for them where they look.
 *
 * inheritance.1. A child of `fork()` alone has its invitation: the variable of its environment names the descriptor and
 *     the invitation in it. In a grandchild that the variable has reached, the descriptor is another one or none, and
 *     is only looked at.
 * inheritance.2. A domain that is shared is found by any number of threads and processes. A thread uses the files that the
 *     process has already, and a process connects.
 * inheritance.3. What was left is taken back when the domain is closed, unless it is another domain's by then.
 */

/** The variable in the environment of processes, and the name of the environment data of threads. */
const VARIABLE = "DMABUF_DOMAIN";

/** What a member has left for this thread or process. */
export type Inheritance =
  { readonly files: DomainFiles } | { readonly descriptor: number; readonly id: string } | { readonly place: string };

/** @throws {DmaBufError} `ENOENT` if there is nothing. */
export function findInheritance(): Inheritance {
  const files = getEnvironmentData(VARIABLE);
  if (files !== undefined) return { files: files as DomainFiles };
  const left = env[VARIABLE] ?? "";
  if (left.startsWith("@")) return { place: left };
  const [, descriptor, id] = /^descriptor (\d+) (\S+)$/.exec(left) ?? [];
  if (id !== undefined) return { descriptor: Number(descriptor), id };
  throw new DmaBufError(
    "ENOENT",
    "Cannot join the domain: no process has left one for this one. Start it by domain.fork(), or after domain.shareWithWorkers()",
  );
}

/** An invitation is used once: what this process starts is not to look for it. */
export function forgetInvitation(): void {
  Reflect.deleteProperty(env, VARIABLE);
}

/** Starts a child process that has an invitation. */
export function forkWith(
  { theirs, id }: InvitationEnds,
  file: string | URL,
  args: readonly string[],
  options: ForkOptions,
): ChildProcess {
  const stdio = stdioOf(options);
  const left = { [VARIABLE]: `descriptor ${stdio.length} ${id}` };
  return fork(file, args, { ...options, stdio: [...stdio, theirs], env: { ...(options.env ?? env), ...left } });
}

/** As an array, as `fork()` itself understands it. */
function stdioOf({ stdio, silent }: ForkOptions): Exclude<StdioOptions, string> {
  if (Array.isArray(stdio)) return stdio;
  const three = stdio ?? (silent ? "pipe" : "inherit");
  return [three, three, three, "ipc"];
}

/** Whether this thread has left a domain for those that it starts. */
let hasLeft = false;

/**
 * Leaves a domain for the threads and processes that this thread starts.
 *
 * @param place Where the domain is listened for.
 * @returns What takes it back.
 * @throws {DmaBufError} `EBUSY` if this thread has left another one.
 */
export function leaveForWorkers(files: DomainFiles, place: string): () => void {
  if (hasLeft) {
    throw new DmaBufError("EBUSY", "Cannot share the domain with workers: this thread shares another one already");
  }
  hasLeft = true;
  setEnvironmentData(VARIABLE, files);
  env[VARIABLE] = place;
  return () => {
    hasLeft = false;
    if (getEnvironmentData(VARIABLE) === files) setEnvironmentData(VARIABLE);
    if (env[VARIABLE] === place) forgetInvitation();
  };
}
