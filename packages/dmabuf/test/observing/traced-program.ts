/** A program that traces until it is killed: two threads of one domain, each of which signals fences one after the other. */
import { argv } from "node:process";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { ProcessDomain, type WorkerInvitation } from "../../src/node/index.js";

const [, , where] = argv;

if (isMainThread) {
  const domain = ProcessDomain.listen(where!, { name: "first" });
  for (const name of ["second", "third"]) {
    const invitation = domain.invite({ name });
    new Worker(new URL(import.meta.url), { workerData: invitation, transferList: [invitation.port as never] });
  }
  const other = domain.createTimeline({ name: "first" });
  // The event loop goes on, so that the threads are heard when they end.
  setInterval(() => {
    for (let i = 0; i < 2000; i++) other.createFence().signal();
  }, 0);
  console.log("ready");
} else {
  const domain = ProcessDomain.join(workerData as WorkerInvitation);
  const [name] = domain.agents.slice(-1);
  const timeline = domain.createTimeline({ name: name! });
  for (;;) timeline.createFence().signal();
}
