import { parentPort, workerData, type MessagePort } from "node:worker_threads";
import type { FromConsumer, ToConsumer } from "./consumer.js";
import { failed, type Failed } from "./failure.js";

/** How a worker, a thread or a process, talks to the program that started it. */
export interface Endpoint<Given, From, To> {
  /** What it was started with. */
  readonly given: Given;
  tell(message: From): void;
  hear(listener: (message: To) => void): void;
  /** Everything has been told; the worker ends when it has nothing else to do. */
  close(): void;
}

export function openEndpoint<Given, From = FromConsumer, To = ToConsumer>(): Endpoint<Given, From, To> {
  return parentPort === null ? ofProcess() : ofThread(parentPort);
}

/** Does all the work of a worker: tells what it fails with, and closes the endpoint. */
export async function work(
  endpoint: Pick<Endpoint<unknown, Failed, unknown>, "tell" | "close">,
  act: () => Promise<void>,
): Promise<void> {
  try {
    await act();
  } catch (error) {
    endpoint.tell(failed(error));
  } finally {
    endpoint.close();
  }
}

function ofThread<Given, From, To>(port: MessagePort): Endpoint<Given, From, To> {
  return {
    given: workerData as Given,
    tell: (message) => port.postMessage(message),
    hear: (listener) => port.on("message", listener),
    close: () => port.close(),
  };
}

function ofProcess<Given, From, To>(): Endpoint<Given, From, To> {
  let pending = 0;
  let closing = false;
  const closeWhenSent = (): void => {
    if (closing && pending === 0 && process.connected) process.disconnect();
  };
  // Ctrl-C reaches all processes of a terminal; the one that started this one decides.
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
