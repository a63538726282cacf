import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { DmaBufError } from "dmabuf";
import { Answers } from "./server/answers.js";
import { theOnlyDomain } from "./server/open-domain.js";
import { Watch } from "./server/watch.js";

/** Options of {@link serveInspector}. */
export interface InspectorOptions {
  /**
   * Which domain: the number of one of its processes, the place at which it listens (a path, or "@" and a name), or the domain
   * as its handles name it. Default: the only one of this machine.
   */
  readonly where?: string | number;
  /** The port on 127.0.0.1. Default: a free one. */
  readonly port?: number;
  /** Whether to wait for a domain where there is none, or no longer one; this needs a place. Default: false. */
  readonly wait?: boolean;
}

/** A page that shows a domain, as long as it is not closed. */
export interface Inspector extends AsyncDisposable {
  /** The page's address, with a token that no other process can guess. */
  readonly url: string;
  /** Ends the page's connections and the look at the domain. */
  close(): Promise<void>;
}

/**
 * Serves a page, on loopback only, that shows a running domain. The domain needs no part in it, and nothing of it changes.
 *
 * @example
 * ```ts
 * import { ProcessDomain } from "dmabuf/node";
 * import { serveInspector } from "dmabuf-inspector/server";
 *
 * using domain = ProcessDomain.create({ name: "camera" });
 * await using inspector = await serveInspector({ where: process.pid });
 * console.log(inspector.url);
 * ```
 *
 * @throws {DmaBufError} `EBUSY` or `EACCES` when the port cannot be had; otherwise as `ProcessDomain.observe()`.
 */
export async function serveInspector(options: InspectorOptions = {}): Promise<Inspector> {
  const { port = 0, wait = false } = options;
  const watch = new Watch(String(options.where ?? theOnlyDomain()), wait);
  const answers = new Answers(watch);
  const server = createServer((request, response) => answers.answer(request, response));
  try {
    await new Promise<void>((resolve, reject) => {
      // Later errors are those of single connections.
      server.on("error", (error) => reject(portError(port, error)));
      server.listen(port, "127.0.0.1", resolve);
    });
  } catch (error) {
    watch[Symbol.dispose]();
    throw error;
  }
  const close = async (): Promise<void> => {
    watch[Symbol.dispose]();
    if (!server.listening) return;
    const closed = new Promise((resolve) => server.close(resolve));
    // The streams of events have no end of their own.
    server.closeAllConnections();
    await closed;
  };
  const { port: had } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${had}/?token=${answers.guard.token}`, close, [Symbol.asyncDispose]: close };
}

function portError(port: number, error: NodeJS.ErrnoException): DmaBufError {
  const code = error.code === "EACCES" ? "EACCES" : "EBUSY";
  return new DmaBufError(code, `Cannot serve the inspector on port ${port}: ${error.message}`, { cause: error });
}
