/** One picture to some consumers that read it, by a stream, by clones of a `VideoFrame`, and by `postMessage`, in turn. */
import { Domain, type StreamHandleData } from "dmabuf";
import { connectWorker } from "dmabuf/web";
import type { Order, Role } from "./hand-off-worker.js";
import { measure, numberIn } from "./measured.js";

measure(async (query) => {
  const [consumers, frames, rounds] = ["consumers", "frames", "rounds"].map((name) => numberIn(query, name));
  const clip = query.has("clip") ? new URL(query.get("clip")!, location.href).href : undefined;
  const picture = { width: numberIn(query, "width"), height: numberIn(query, "height"), clip, frames: frames! };
  const domain = Domain.create({ name: "page" });
  const start = async (role: Role, transfer: Transferable[] = []): Promise<Worker> => {
    const worker = new Worker("/hand-off-worker.js", { type: "module" });
    await connectWorker(domain, worker, { name: role.name, data: role, transfer });
    return worker;
  };

  const channels = Array.from({ length: consumers! }, () => new MessageChannel());
  const ports = channels.map(({ port1 }) => port1);
  const producer = await start({ name: "producer", ...picture, ports }, ports);
  const stream = domain.import(await ask<StreamHandleData>(producer, { does: "prepare" }));
  const readers = await Promise.all(
    channels.map(({ port2 }) => {
      return start({ name: "consumer", ...picture, port: port2, stream: stream.handle() }, [port2]);
    }),
  );
  stream.close();

  const found: Record<string, number[]> = {};
  // The first round of each is a warm-up: the ring's memory is touched for the first time.
  for (let round = 0; round <= rounds!; round++) {
    for (const way of ["stream", "stream, awaited", "VideoFrame.clone()", "postMessage"] as const) {
      const read = readers.map((reader) => ask(reader, { does: "read", way }));
      const ms = await ask<number>(producer, { does: "send", way });
      await Promise.all(read);
      if (round > 0) (found[way] ??= []).push(ms / frames!);
    }
  }
  return found;
});

/** The answer to an order is of the type that its author says. */
function ask<Answer>(worker: Worker, order: Order): Promise<Answer> {
  return new Promise((answered, failed) => {
    worker.onmessage = ({ data }: MessageEvent<Answer>) => answered(data);
    worker.onerror = ({ message }) => failed(new Error(message));
    worker.postMessage(order);
  });
}
