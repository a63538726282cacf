/** How long it takes until the end of a worker is noticed: by the page that has invited it, or by the worker that it had invited. */
import { Domain } from "dmabuf";
import { connectWorker } from "dmabuf/web";
import { measure, numberIn } from "./measured.js";

type State = "idle" | "busy";

measure(async (query) => {
  const rounds = numberIn(query, "rounds");
  const found: Record<string, number[]> = {};
  for (let round = 0; round < rounds; round++) {
    for (const state of ["idle", "busy"] as const) {
      (found[`an invited worker, ${state}`] ??= []).push(await ofInvited(state));
      (found[`the worker that has invited, ${state}`] ??= []).push(await ofInviter(state));
    }
  }
  return found;
});

function start(): Worker {
  return new Worker("/ends-worker.js", { type: "module" });
}

async function ofInvited(state: State): Promise<number> {
  using domain = Domain.create({ name: "page" });
  const link = await connectWorker(domain, start(), { name: state, data: { state } });
  await settled();
  const begin = performance.now();
  await link.terminate();
  return performance.now() - begin;
}

/** A worker makes the domain and invites another one, which says when it notices. */
async function ofInviter(state: State): Promise<number> {
  const [inviter, invited] = [start(), start()];
  const { port1, port2 } = new MessageChannel();
  const joined = new Promise((resolve) => (invited.onmessage = resolve));
  invited.postMessage({ waits: port1 }, [port1]);
  inviter.postMessage({ makes: port2, state }, [port2]);
  await joined;
  await settled();
  const noticed = new Promise<number>((resolve) => (invited.onmessage = ({ data }) => resolve(data as number)));
  const begin = performance.timeOrigin + performance.now();
  inviter.terminate();
  const end = await noticed;
  invited.terminate();
  return end - begin;
}

/** A worker that is to be busy is so by then. */
function settled(): Promise<void> {
  return new Promise((done) => setTimeout(done, 100));
}
