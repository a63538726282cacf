import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Two connected Unix sockets: one to read here, the other for a child process's standard output. */
export interface SocketPair {
  readonly reader: net.Socket;
  /** Never read or written here. Destroy it once the child has it, or the reader sees no end. */
  readonly writer: net.Socket;
}

/**
 * Connects a pair of sockets whose reader reads into memory of the caller's choice.
 *
 * The pipes that `spawn` makes by itself cannot do that: `onread` is an option of the socket's constructor.
 * The name in the file system is gone when the promise resolves, and no other user may enter its folder.
 */
export async function connectSocketPair(onread: net.OnReadOpts): Promise<SocketPair> {
  const folder = mkdtempSync(join(tmpdir(), "dmabuf-demo-socket-"));
  const server = net.createServer({ pauseOnConnect: true });
  try {
    const path = join(folder, "frames");
    server.listen(path);
    await once(server, "listening");
    const accepted = once(server, "connection") as Promise<[net.Socket]>;
    const reader = net.connect({ path, onread });
    const [[writer]] = await Promise.all([accepted, once(reader, "connect")]);
    return { reader, writer };
  } finally {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
