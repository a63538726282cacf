/**
 * Another process, for tests of descriptors that cross over: it inherited one as 4, or gets it through the socket that it
 * inherited as 4, or as a member of a domain. Usage: node other-process.js TASK [PLACE]
 */
import { setTimeout as sleep } from "node:timers/promises";
import { requestOf } from "../../../src/linux/descriptor.js";
import { descriptorFrom, dmaBufFrom } from "../../../src/linux/index.js";
import { SW_SYNC } from "../../../src/linux/software-sync.js";
import { ProcessDomain } from "../../../src/node/index.js";
import { receiveMessage } from "../../../src/node/system-calls/index.js";

const INHERITED = 4;
/** Milliseconds; long enough for the parent to wait. */
const PAUSE = 100;

const tasks: Record<string, () => Promise<void>> = {
  async "advance inherited"() {
    await sleep(PAUSE);
    advance(INHERITED);
  },
  async "advance received"() {
    const [fd] = await received();
    await sleep(PAUSE);
    advance(fd!);
  },
  async write() {
    using buffer = dmaBufFrom(INHERITED);
    await buffer.access("write", (bytes) => bytes.fill(0x77));
  },
  async "write taken"() {
    using domain = await ProcessDomain.connect(process.argv[3]!);
    using buffer = dmaBufFrom(await domain.descriptors.take("buffer", { timeout: 10_000 }));
    await buffer.access("write", (bytes) => bytes.fill(0x88));
    advance(await domain.descriptors.take("timeline", { timeout: 10_000 }));
  },
};

await tasks[process.argv[2]!]!();

function advance(fd: number): void {
  requestOf(descriptorFrom(fd, "the timeline"), SW_SYNC.INC, { amount: 1 });
}

async function received(): Promise<readonly number[]> {
  for (;;) {
    const message = receiveMessage(INHERITED, new Uint8Array(16), 1);
    if (message !== undefined) return message.descriptors;
    await sleep(2);
  }
}
