/** As much of a browser's `Worker` as the suites use; this project is compiled without the browser's types. */
export interface BrowserWorker {
  postMessage(message: unknown, transfer?: readonly unknown[]): void;
  terminate(): void;
  onmessage: ((event: { data: unknown }) => void) | null;
  onerror: ((event: { message?: string }) => void) | null;
}

const { Worker } = globalThis as unknown as {
  Worker: new (url: URL, options: { type: "module" }) => BrowserWorker;
};

/** Starts a module worker, sends it `data`, and resolves with its first answer. */
export async function start(
  url: URL,
  data: unknown,
  transfer: readonly unknown[] = [],
): Promise<{ worker: BrowserWorker; answer: unknown }> {
  const worker = new Worker(url, { type: "module" });
  const answer = new Promise<unknown>((resolve, reject) => {
    worker.onmessage = (event) => resolve(event.data);
    worker.onerror = (event) => reject(new Error(event.message ?? `Cannot load ${url.href}`));
  });
  worker.postMessage(data, transfer);
  return { worker, answer: await answer };
}
