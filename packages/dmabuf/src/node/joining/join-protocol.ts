import { allOrNothing } from "../../all-or-nothing.js";
import { LAYOUT_VERSION } from "../../domain/layout.js";
import { DmaBufError } from "../../errors.js";
import { checkFiles, descriptorsOf, type DomainFiles } from "./domain-files.js";
import { sendRequest, HandshakeReader, printable, sendLine, type WaitLimits } from "../connecting/json-lines.js";
import { letGo } from "../resources/let-go.js";
import { createLedger, leaveLedger } from "../resources/process-ledgers.js";
import { MOST_DESCRIPTORS } from "../system-calls/index.js";

/**
 * How a process gets the descriptors of a domain from a member, through a connected stream socket. The socket stays
 * open: its end tells both sides that the other one is gone.
 *
 * join-protocol.1. The side that asks says the version of the layout that it knows; another version is refused in
 *     words.
 * join-protocol.2. What comes is believed only if each descriptor is of the kind that belongs in its place, and the
 *      memory's length is sealed. Otherwise all of them are closed.
 */

/** What the asking side says. */
interface JoinRequest {
  readonly layout?: unknown;
}

/** @throws {DmaBufError} `EPROTO` if this is no join request, or one of another version. */
export function checkJoinRequest(request: object): void {
  const { layout } = request as JoinRequest;
  if (layout === LAYOUT_VERSION) return;
  throw new DmaBufError(
    "EPROTO",
    layout === undefined
      ? "Cannot join the domain: the other process has not asked for that"
      : `Cannot join the domain: its layout version is ${LAYOUT_VERSION}, not ${printable(layout)}`,
  );
}

/** Sends a domain to a process that may join: all of its descriptors. */
export function sendDomain(connection: number, files: DomainFiles): void {
  const descriptors = descriptorsOf(files);
  for (let first = 0; first < descriptors.length; first += MOST_DESCRIPTORS) {
    const some = descriptors.slice(first, first + MOST_DESCRIPTORS);
    sendLine(connection, { left: descriptors.length - first - some.length }, some);
  }
}

/**
 * Asks for a domain's descriptors, and waits for them.
 *
 * @param where Where the connection goes, for errors.
 */
export async function requestDomain(connection: number, where: string, limits: WaitLimits): Promise<DomainFiles> {
  return allOrNothing(async (orUndo) => {
    const { ledger, key } = createLedger();
    orUndo(() => leaveLedger(key));
    const lines = new HandshakeReader(connection, `The domain at ${where}`, ledger);
    orUndo(() => lines.close());
    sendRequest(connection, { layout: LAYOUT_VERSION });
    for (let before = Infinity; ;) {
      const { left } = (await lines.next(limits)) as { readonly left?: unknown };
      if (!Number.isInteger(left) || !((left as number) >= 0 && (left as number) < before)) {
        throw new DmaBufError("EPROTO", `Cannot join the domain: there is none at ${where}`);
      }
      before = left as number;
      if (before > 0) continue;
      const entries = lines.takeDescriptors();
      orUndo(() => letGo(...entries.map((entry) => ledger.handOver(entry))));
      lines.handOver();
      return checkFiles(
        entries.map((entry) => ledger.descriptorOf(entry)),
        key,
      );
    }
  });
}
