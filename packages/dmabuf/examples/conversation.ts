/**
 * What visitors and those that serve them say, line by line, as docs/protocol.md has it. The two visitors here have plain
 * sockets, as a program in any language has: run it as `node packages/dmabuf/dist/examples/conversation.js`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { imageFormat } from "dmabuf";
import { ProcessDomain } from "dmabuf/node";

const FORMAT = imageFormat("GREY", 4, 2);
const folder = mkdtempSync(join(tmpdir(), "conversation-"));
const [SHOWN, FILLED] = [join(folder, "shown"), join(folder, "filled")];

/** A visitor. What comes beside its lines, Node.js closes: it says and hears, and maps nothing. */
class Visitor {
  readonly #who: string;
  readonly #socket;
  readonly #lines: AsyncIterator<string, undefined>;

  constructor(who: string, place: string) {
    this.#who = who;
    this.#socket = connect(place);
    this.#lines = createInterface(this.#socket)[Symbol.asyncIterator]();
  }

  say(line: object): void {
    const text = JSON.stringify(line);
    console.log(`${this.#who} > ${text}`);
    this.#socket.write(`${text}\n`);
  }

  async hear(): Promise<void> {
    const { value } = await this.#lines.next();
    console.log(this.#who, "<", value);
  }

  close(): void {
    this.#socket.destroy();
  }
}

using domain = ProcessDomain.create();
using stream = domain.createStream({ name: "camera", format: FORMAT, buffers: 2, dataBytes: 64 });
using _shown = domain.serveViewers(SHOWN, stream, { policies: ["block"] });
using _filled = domain.serveContributors(FILLED, stream, { ends: true });

const viewer = new Visitor("viewer", SHOWN);
viewer.say({ visitor: 1, as: "viewer", policy: "block", name: "checker" });
await viewer.hear();

const contributor = new Visitor("contributor", FILLED);
contributor.say({ visitor: 1, as: "contributor", name: "sensor" });
await contributor.hear();
contributor.say({ loan: true });
await contributor.hear();
contributor.say({ publish: { timestamp: 40, data: { exposure: 8 } } });
await contributor.hear();

await viewer.hear();
viewer.say({ done: true });

// An image has one size.
contributor.say({ loan: true });
await contributor.hear();
contributor.say({ publish: { length: 3 } });
await contributor.hear();

contributor.say({ loan: true });
await contributor.hear();
contributor.say({ drop: true });
await contributor.hear();
contributor.say({ end: true });
await viewer.hear();
viewer.close();
contributor.close();
rmSync(folder, { recursive: true });
