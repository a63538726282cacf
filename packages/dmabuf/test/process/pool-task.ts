/** What pools of others have their workers do, in tests and in the cluster. */
import { once } from "node:events";
import { Domain, type BufferHandleData, type Invitation } from "../../src/index.js";
import { ProcessDomain } from "../../src/node/index.js";

/** A worker joins with its first task. */
let joining: Promise<ProcessDomain> | undefined;
let joined: Domain | undefined;

/** Adds one to all bytes of a buffer. @returns The name of the worker in the domain. */
export default async function addOne(handle: BufferHandleData): Promise<string> {
  joining ??= ProcessDomain.inherit();
  const domain = await joining;
  using buffer = domain.import(handle);
  using access = await buffer.access("write");
  access.bytes.forEach((byte, i, bytes) => (bytes[i] = byte + 1));
  return domain.agents.join();
}

/** Makes a buffer, and lives with it. @returns Its handle. */
export async function make(value: number): Promise<BufferHandleData> {
  joining ??= ProcessDomain.inherit();
  const buffer = (await joining).allocate(4096);
  using access = await buffer.access("write");
  access.bytes.fill(value);
  return { ...buffer.handle() };
}

/** Takes a buffer, and never comes back. */
export async function keep(handle: BufferHandleData): Promise<void> {
  joining ??= ProcessDomain.inherit();
  const access = await (await joining).import(handle).access("write");
  access.bytes.fill(99);
  await once(new EventTarget(), "never");
  access.close();
}

/** The same for a domain of threads: an invitation comes with each task, and all but the first are let go. */
export function addOneByThread({ invitation, handle }: { invitation: Invitation; handle: BufferHandleData }): number {
  if (joined === undefined) joined = Domain.join(invitation);
  else invitation.port.close();
  using buffer = joined.import(handle);
  using access = buffer.accessSync("write");
  access.bytes.forEach((byte, i, bytes) => (bytes[i] = byte + 1));
  return joined.agents.length;
}
