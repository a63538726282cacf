import { createReadStream, statSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream";
import { DmaBufError } from "dmabuf";
import type { Note } from "./jobs/job.js";
import { previewPage } from "./preview-page.js";

const BOUNDARY = "dmabuf-frame";

export interface PreviewServerOptions {
  /** 0 for a free one. */
  readonly port: number;
  /** Of the video, in pixels. */
  readonly width: number;
  readonly height: number;
  /** The directory in which `frame-N.jpg` are served. */
  readonly thumbnails: string;
}

/**
 * The preview's page, on loopback only: `/` is the page, `/stream.mjpg` the newest frames as a multipart stream of
 * JPEGs, `/events` the news of all jobs, `/thumbnails/frame-N.jpg` a thumbnail.
 *
 * preview-server.1. It answers those who ask for it by its own name, and no page of another origin: a page of the web
 *      can have a name that leads here (421).
 * preview-server.2. What a request says is parsed inside a `try`. No request ends the process.
 */
export class PreviewServer {
  readonly #server: Server;
  readonly #options: PreviewServerOptions;
  readonly #watchers = new Set<ServerResponse>();
  readonly #listeners = new Set<ServerResponse>();

  /** @throws {DmaBufError} `EBUSY` or `EACCES` when the port cannot be had. */
  static async listen(options: PreviewServerOptions): Promise<PreviewServer> {
    const preview = new PreviewServer(options);
    await new Promise<void>((resolve, reject) => {
      // Later errors are those of single connections.
      preview.#server.on("error", (error) => reject(portError(options.port, error)));
      preview.#server.listen(options.port, "127.0.0.1", resolve);
    });
    return preview;
  }

  private constructor(options: PreviewServerOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  /** Whether a viewer wants a frame now. */
  get isWatched(): boolean {
    for (const watcher of this.#watchers) if (!watcher.writableNeedDrain) return true;
    return false;
  }

  /** Sends a frame to all who watch, except to those who are still busy with the one before. */
  show(jpeg: Uint8Array): void {
    const head = `--${BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: ${jpeg.length}\r\n\r\n`;
    for (const watcher of this.#watchers) {
      if (watcher.writableNeedDrain) continue;
      watcher.write(head);
      watcher.write(jpeg);
      watcher.write("\r\n");
    }
  }

  tell(note: Note): void {
    for (const listener of this.#listeners) {
      if (!listener.writableNeedDrain) listener.write(`data: ${JSON.stringify(note)}\n\n`);
    }
  }

  async close(): Promise<void> {
    for (const listener of this.#listeners) listener.end("event: end\ndata: {}\n\n");
    for (const watcher of this.#watchers) watcher.end(`--${BOUNDARY}--\r\n`);
    const closed = new Promise((resolve) => this.#server.close(resolve));
    // What was written has a moment to arrive; a watcher who does not read must not keep the demo alive.
    const cut = setTimeout(() => this.#server.closeAllConnections(), 500);
    this.#server.closeIdleConnections();
    await closed;
    clearTimeout(cut);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
    const path = this.#pathOf(request);
    if (typeof path === "number") return void response.writeHead(path, { Connection: "close" }).end();
    const thumbnail = /^\/thumbnails\/(frame-\d+\.jpg)$/.exec(path)?.[1];
    if (request.method !== "GET") response.writeHead(405, { Allow: "GET" }).end();
    else if (path === "/") this.#sendPage(response);
    else if (path === "/stream.mjpg")
      this.#keep(this.#watchers, response, `multipart/x-mixed-replace; boundary=${BOUNDARY}`);
    else if (path === "/events") this.#keep(this.#listeners, response, "text/event-stream");
    else if (thumbnail !== undefined) sendFile(join(this.#options.thumbnails, thumbnail), response);
    else response.writeHead(404).end();
  }

  /** What is asked for, or the status of a refusal. */
  #pathOf({ url = "", headers: { host = "" }, socket }: IncomingMessage): string | number {
    try {
      const port = socket.localPort;
      const own = ["localhost", "127.0.0.1", "[::1]"].map((name) => new URL(`http://${name}:${port}`).host);
      const named = new URL(`http://${host}`);
      // What is asked for may name a host, too.
      const asked = new URL(url, named);
      if (named.href !== `http://${named.host}/`) return 400;
      return own.includes(named.host) && asked.origin === named.origin ? asked.pathname : 421;
    } catch {
      return 400;
    }
  }

  #sendPage(response: ServerResponse): void {
    response.writeHead(200, { "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store" });
    response.end(previewPage(this.#options));
  }

  #keep(responses: Set<ServerResponse>, response: ServerResponse, type: string): void {
    response.writeHead(200, { "Content-Type": type, "Cache-Control": "no-store", Connection: "close" });
    response.flushHeaders();
    responses.add(response);
    response.once("close", () => responses.delete(response));
  }
}

function sendFile(path: string, response: ServerResponse): void {
  if (!isFile(path)) return void response.writeHead(404).end();
  response.setHeader("Content-Type", "image/jpeg");
  response.setHeader("Cache-Control", "max-age=3600");
  pipeline(createReadStream(path), response, () => {});
}

/** A pipe of that name would be waited for. */
function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function portError(port: number, error: NodeJS.ErrnoException): DmaBufError {
  const code = error.code === "EACCES" ? "EACCES" : "EBUSY";
  return new DmaBufError(code, `Cannot serve the preview on port ${port}: ${error.message}`, { cause: error });
}
