import { parentPort, workerData, type MessagePort } from "node:worker_threads";
import type { FromConsumer, ToConsumer } from "./consumer.js";

/** How a consumer talks to whoever started it, be it a thread of that process or a process of its own. */
export interface Endpoint<Given> {
  /** What it was started with. */
  readonly given: Given;
  tell(message: FromConsumer): void;
  hear(listener: (message: ToConsumer) => void): void;
  /** Everything has been told; the consumer ends when it has nothing else to do. */
  close(): void;
}

export function openEndpoint<Given>(): Endpoint<Given> {
  return parentPort === null ? ofProcess() : ofThread(parentPort);
}

function ofThread<Given>(port: MessagePort): Endpoint<Given> {
  return {
    given: workerData as Given,
    tell: (message) => port.postMessage(message),
    hear: (listener) => port.on("message", listener),
    close: () => port.close(),
  };
}

function ofProcess<Given>(): Endpoint<Given> {
  let pending = 0;
  let closing = false;
  const closeWhenSent = (): void => {
    if (closing && pending === 0 && process.connected) process.disconnect();
  };
  // Ctrl-C reaches all processes of a terminal; whoever started this one decides.
  process.on("SIGINT", () => {});
  process.on("disconnect", () => {
    if (!closing) process.exit(1);
  });
  return {
    given: JSON.parse(process.argv[2] as string) as Given,
    tell(message) {
      pending++;
      process.send?.(message, undefined, undefined, () => {
        pending--;
        closeWhenSent();
      });
    },
    hear: (listener) => process.on("message", listener),
    close() {
      closing = true;
      closeWhenSent();
    },
  };
}
