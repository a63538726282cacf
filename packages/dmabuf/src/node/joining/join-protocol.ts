import { LAYOUT_VERSION } from "../../domain/layout.js";
import { DmaBufError } from "../../errors.js";
import { checkFiles, descriptorsOf, type DomainFiles } from "./domain-files.js";
import { applyTo, FirstLines, inWords, sendLine, type WaitLimits } from "./json-lines.js";
import { letGo } from "../memory/let-go.js";
import { createLedger, leaveLedger } from "../memory/process-ledgers.js";
import { MOST_DESCRIPTORS } from "../system-calls/index.js";

/**
 * How a process gets the descriptors of a domain from a member, through a connected stream socket. The socket stays open:
 * its end tells both sides that the other one is gone.
 *
 * join-protocol.1. Whoever asks says the version of the layout that it knows; another version is refused in words.
 * join-protocol.2. What comes is believed only if each descriptor is of the kind that stands in its place, and the
 *      memory's length is sealed. Otherwise all of them are let go.
 */

/** What the asking side says. */
interface Application {
  readonly layout?: unknown;
}

/** @throws {DmaBufError} `EPROTO` if this is no application, or one of another version. */
export function checkApplication(application: object): void {
  const { layout } = application as Application;
  if (layout === LAYOUT_VERSION) return;
  throw new DmaBufError(
    "EPROTO",
    layout === undefined
      ? "Cannot join the domain: nobody has asked for that"
      : `Cannot join the domain: its layout version is ${LAYOUT_VERSION}, not ${inWords(layout)}`,
  );
}

/** Sends all descriptors. */
export function admit(connection: number, files: DomainFiles): void {
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
export async function apply(connection: number, where: string, limits: WaitLimits): Promise<DomainFiles> {
  const { ledger, key } = createLedger();
  const lines = new FirstLines(connection, `The domain at ${where}`, ledger);
  try {
    applyTo(connection, { layout: LAYOUT_VERSION });
    for (let before = Infinity; ;) {
      const { left } = (await lines.next(limits)) as { readonly left?: unknown };
      if (!Number.isInteger(left) || !((left as number) >= 0 && (left as number) < before)) {
        throw new DmaBufError("EPROTO", `Cannot join the domain: there is none at ${where}`);
      }
      before = left as number;
      if (before > 0) continue;
      const entries = lines.takeDescriptors();
      try {
        lines.handOver();
        return checkFiles(
          entries.map((entry) => ledger.descriptorOf(entry)),
          key,
        );
      } catch (error) {
        letGo(...entries.map((entry) => ledger.handOver(entry)));
        throw error;
      }
    }
  } catch (error) {
    lines.close();
    leaveLedger(key);
    throw error;
  }
}
