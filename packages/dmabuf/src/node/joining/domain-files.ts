import { constants, fchmodSync, fstatSync, readlinkSync } from "node:fs";
import { allOrNothing } from "../../all-or-nothing.js";
import {
  addSeals,
  bindSocket,
  closeDescriptor,
  connectSocket,
  createMemoryFile,
  createPipe,
  createSocket,
  fileControl,
  isPipe,
  isUnixSocket,
  isWritable,
  pageSize,
  reopenDescriptor,
  SEAL,
  sealsOf,
  setFileLength,
} from "../system-calls/index.js";
import { DmaBufError } from "../../errors.js";
import { randomUUID } from "node:crypto";
import { createLedger, leaveLedger, type LedgerKey } from "../resources/process-ledgers.js";

/**
 * The descriptors by which a process takes part in a domain. The threads that have invited each other use the same
 * ones: they are in a ledger that belongs to all of them, so that the last thread to leave or to end closes them.
 */
export interface DomainFiles {
  /** The control segment's memory. */
  readonly control: number;
  /** One an agent slot: a pipe, opened to read and write, whose bytes wake the agent's event loop. */
  readonly bells: readonly number[];
  /** One an agent slot: a socket connected to itself, whose messages the agent alone takes out. */
  readonly mailboxes: readonly number[];
  readonly ledger: LedgerKey;
}

/** What the name of a control segment's memory begins with, in `/proc`; the register's name there follows. */
const CONTROL_NAME = "dmabuf control ";
const CONTROL = new RegExp(`^/memfd:${CONTROL_NAME}(pipe:\\[\\d+\\]) \\(deleted\\)$`);

/** The register of the domain whose control segment a name in `/proc` is; `undefined` if it is none's. */
export function registerNamedBy(name: string): string | undefined {
  return CONTROL.exec(name)?.[1];
}

/** The pipe in which all memberships of a domain are locked. */
export function registerIn(bells: readonly number[]): number {
  return bells[0]!;
}

/** What `/proc` calls the file of a descriptor. */
function nameOf(descriptor: number): string {
  return readlinkSync(`/proc/self/fd/${descriptor}`);
}

/** @param bytes How long the control segment is. */
export function createDomainFiles(bytes: number, agents: number): DomainFiles {
  return allOrNothing((orUndo) => {
    const { ledger, key } = createLedger();
    orUndo(() => leaveLedger(key));
    const keep = (open: () => number): number => ledger.descriptorOf(ledger.open(open));
    const bells = Array.from({ length: agents }, () => keep(createBell));
    const control = keep(() => createMemoryFile(CONTROL_NAME + nameOf(registerIn(bells))));
    setFileLength(control, bytes);
    // A peer that cut it short would kill all others.
    addSeals(control, SEAL.SHRINK | SEAL.GROW | SEAL.SEAL);
    const mailboxes = Array.from({ length: agents }, () => keep(createMailbox));
    return { control, bells, mailboxes, ledger: key };
  });
}

/** All of them in one list, as they are sent to another process. */
export function descriptorsOf({ control, bells, mailboxes }: DomainFiles): number[] {
  return [control, ...bells, ...mailboxes];
}

/**
 * The reverse of {@link descriptorsOf}, for what another process has sent.
 *
 * @param ledger The ledger that they are in.
 * @throws {DmaBufError} `EPROTO` if these are not a domain's. They stay open.
 */
export function checkFiles(descriptors: readonly number[], ledger: LedgerKey): DomainFiles {
  const damaged = (what: string): DmaBufError => new DmaBufError("EPROTO", `Cannot join the domain: ${what}`);
  if (descriptors.length < 3 || descriptors.length % 2 === 0) {
    throw damaged(`${descriptors.length} descriptors are not what belongs to one`);
  }
  const [control, ...rest] = descriptors as [number, ...number[]];
  const agents = rest.length / 2;
  const files = { control, bells: rest.slice(0, agents), mailboxes: rest.slice(agents), ledger };
  if (!hasFixedLength(files.control)) throw damaged("its control segment is no memory of sealed length");
  const { size } = fstatSync(files.control);
  if (size === 0 || size % pageSize() !== 0) throw damaged(`its control segment of ${size} bytes is no whole pages`);
  if (!isWritable(files.control)) throw damaged("its control segment can only be read");
  // A pipe that blocks would block the agent that rings.
  if (!files.bells.every((bell) => is(bell, isPipe, constants.O_RDWR | constants.O_NONBLOCK))) {
    throw damaged("its doorbells are no pipes that do not block");
  }
  if (
    !files.mailboxes.every((box) => is(box, (descriptor) => isUnixSocket(descriptor, "datagram"), constants.O_RDWR))
  ) {
    throw damaged("its mailboxes are no sockets for messages");
  }
  return files;
}

const F_GETFL = 3;

/** Whether it is memory that no process can cut short under a reader. */
export function hasFixedLength(descriptor: number): boolean {
  const fixed = SEAL.SHRINK | SEAL.GROW;
  try {
    return (sealsOf(descriptor) & fixed) === fixed;
  } catch {
    // What is no memory file has no seals.
    return false;
  }
}

/** Whether a descriptor is of a kind, and opened with these flags. */
function is(descriptor: number, isKind: (descriptor: number) => boolean, flags: number): boolean {
  return isKind(descriptor) && (fileControl(descriptor, F_GETFL, 0) & flags) === flags;
}

function createBell(): number {
  const { reader, writer } = createPipe();
  try {
    const bell = reopenDescriptor(reader, "read-write", constants.O_NONBLOCK);
    // Another user who was let in opens it once more, to watch it. A process without a descriptor of it cannot.
    fchmodSync(bell, 0o666);
    return bell;
  } finally {
    closeDescriptor(reader);
    closeDescriptor(writer);
  }
}

/** Its name serves only to connect it to itself: a socket that is connected takes nothing from any other. */
function createMailbox(): number {
  return allOrNothing((orUndo) => {
    const socket = createSocket("datagram");
    orUndo(() => closeDescriptor(socket));
    const address = { abstract: `dmabuf mailbox ${randomUUID()}` };
    bindSocket(socket, address);
    connectSocket(socket, address);
    return socket;
  });
}
