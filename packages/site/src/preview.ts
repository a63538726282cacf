/** Shows the finished site on this machine. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import sirv from "sirv";

/** A server of the site on loopback. */
export interface Preview extends AsyncDisposable {
  /** Where the site is: `http://127.0.0.1:40123/dmabuf/`. */
  readonly address: string;
}

/** Serves a folder at the path that it was made for. */
export async function preview(folder: string, base: string, port: number): Promise<Preview> {
  const files = sirv(folder, { dev: true });
  const server = createServer((request, response) => {
    const missing = (): void => void response.writeHead(404, { "content-type": "text/plain" }).end("Not found\n");
    if (request.url?.startsWith(base) !== true) return missing();
    request.url = request.url.slice(base.length - 1);
    files(request, response, missing);
  });
  await new Promise<void>((listens, fails) => {
    server.once("error", fails).listen(port, "127.0.0.1", listens);
  });
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}${base}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}
