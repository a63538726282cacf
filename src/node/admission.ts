import { LAYOUT_VERSION } from "../domain/layout.js";
import { DmaBufError } from "../errors.js";
import { descriptorsOf, filesOf, type DomainFiles } from "./domain-files.js";
import { FirstLines, sendLine } from "./lines.js";
import { closeDescriptor, MOST_DESCRIPTORS } from "./system-calls.js";

/**
 * How a process gets the descriptors of a domain from a member, through a connected stream socket. The socket stays open:
 * its end tells both sides that the other one is gone.
 *
 * AD1. Whoever asks says the version of the layout that it knows; another version is refused in words.
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
    `Cannot join the domain: its layout version is ${LAYOUT_VERSION}, not ${String(layout)}`,
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
 * @param options `timeout` in milliseconds.
 */
export async function apply(
  connection: number,
  where: string,
  options: { readonly timeout: number; readonly signal?: AbortSignal | undefined },
): Promise<DomainFiles> {
  const { timeout, signal } = options;
  const limits = { end: performance.now() + timeout, signal };
  const lines = new FirstLines(connection, `The domain at ${where}`);
  try {
    sendLine(connection, { layout: LAYOUT_VERSION });
    for (;;) {
      const { left } = (await lines.next(limits)) as { readonly left?: unknown };
      if (left === 0) return received(lines.takeDescriptors());
    }
  } finally {
    lines.close();
  }
}

function received(descriptors: readonly number[]): DomainFiles {
  if (descriptors.length >= 3 && descriptors.length % 2 === 1) return filesOf(descriptors);
  descriptors.forEach(closeDescriptor);
  throw new DmaBufError(
    "EPROTO",
    `Cannot join the domain: ${descriptors.length} descriptors are not what belongs to one`,
  );
}
