import { createInterface } from "node:readline";
import { ProcessDomain } from "dmabuf/node";
import { fillPattern, FORMAT } from "./stage.js";

/** Serves a stream at a place until it is killed: `node server-program.js ROLE PLACE`. It publishes when it is told. */

const [role, where] = process.argv.slice(2) as [string, string];
const domain = ProcessDomain.create({ agents: 4 });
const stream = domain.createStream({ name: "camera", format: FORMAT, buffers: 4 });
if (role === "viewer") domain.serveViewers(where, stream, { policy: "block" });
else domain.serveContributors(where, stream);

for await (const line of createInterface({ input: process.stdin })) {
  const { do: what, seed } = JSON.parse(line) as { readonly do: string; readonly seed: number };
  if (what === "publish") {
    const loan = (await stream.loan({ timeout: 5_000 }))!;
    fillPattern(loan.bytes, seed);
    loan.publish();
  }
  process.stdout.write("{}\n");
}
domain.close();
