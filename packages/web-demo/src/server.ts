import { existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import sirv from "sirv";
import { headersFor, queryFor, type Isolation } from "./isolation.js";

/** Where Vite builds the page. */
const PAGE = fileURLToPath(new URL("../page", import.meta.url));

/** What a person can do something about. */
export class DemoServerError extends Error {
  override readonly name = "DemoServerError";
}

interface PageServer extends AsyncDisposable {
  /** The page's address. */
  readonly url: string;
}

/**
 * Serves the built page on loopback.
 *
 * @param options `port`: 0 for a free one. `isolation`: how the page becomes cross-origin isolated.
 * @throws {DemoServerError} If it is not built, or the port cannot be had.
 */
export async function servePage(options: {
  readonly port?: number;
  readonly isolation?: Isolation;
}): Promise<PageServer> {
  const { port = 0, isolation = "coop" } = options;
  if (!existsSync(PAGE)) throw new DemoServerError("The page is not built: npm run build");
  const headers = headersFor(isolation);
  const files = sirv(PAGE, {
    etag: true,
    onNoMatch: (_request, response) =>
      void response.writeHead(404, { "Content-Type": "text/plain" }).end("Not found\n"),
  });
  const server = createServer((request, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    if (request.method !== "GET" && request.method !== "HEAD") {
      return void response.writeHead(405, { Allow: "GET, HEAD" }).end();
    }
    files(request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", ({ message }) => reject(new DemoServerError(`Cannot serve on port ${port}: ${message}`)));
    server.listen(port, "127.0.0.1", resolve);
  });
  const { port: had } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  };
  // Not the number: some engines take the name alone for a secure context.
  return { url: `http://localhost:${had}/${queryFor(isolation)}`, [Symbol.asyncDispose]: close };
}
