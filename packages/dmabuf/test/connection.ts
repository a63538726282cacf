import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import type { TestContext } from "node:test";
import type { OnRead } from "../src/hosts/peers.js";

/** Two ends of a connection on loopback, which end with the test. */
export async function connection(t: TestContext, onread?: OnRead): Promise<{ near: Socket; far: Socket }> {
  const server = createServer({ noDelay: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const { port } = server.address() as AddressInfo;
  const near = connect({ port, host: "127.0.0.1", ...(onread && { onread }) });
  const [[far]] = await Promise.all([accepted, once(near, "connect")]);
  server.close();
  near.on("error", () => {});
  far.on("error", () => {});
  t.after(() => {
    near.destroy();
    far.destroy();
  });
  return { near, far };
}
