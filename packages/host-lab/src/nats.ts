/** NATS servers of a test's own, which it can stop, kill and start again at the same place. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import type { LabHost } from "./lab.js";
import { lack } from "./missing.js";
import { PATH } from "./run.js";

/** Ends the server when its own input ends: so also when its owner is killed. It is there until the server is gone. */
const WARDEN = `"$@" < /dev/null & server=$!
trap "kill -9 $server; wait $server" EXIT
cat > /dev/null`;

/** Milliseconds that a server may take until it serves. */
const START_LIMIT = 60_000;

interface Place {
  readonly host: LabHost | undefined;
  readonly address: string;
  readonly port: number;
  readonly routePort: number;
}

/**
 * Starts a server, with JetStream. Without a host it listens on this machine's loopback.
 *
 * @param settings More lines of its configuration.
 */
export async function startNats(host?: LabHost, settings: readonly string[] = []): Promise<NatsServer> {
  const place = await choosePlace(host);
  const server = new NatsServer(place, settings);
  await server.start();
  return server;
}

/** Starts a cluster of three, with JetStream. A server is on each host in turn. Resolves when it has a leader. */
export async function startCluster(hosts: readonly LabHost[] = []): Promise<readonly NatsServer[]> {
  const places = await Promise.all(
    [0, 1, 2].map((index) => choosePlace(hosts[index % Math.max(1, hosts.length)], index)),
  );
  const routes = places.map(({ address, routePort }) => `"nats://${address}:${routePort}"`).join(", ");
  const servers = places.map((place) => {
    const listen = `${place.address}:${place.routePort}`;
    return new NatsServer(place, [`cluster { name: "lab", listen: ${listen}, routes: [${routes}] }`]);
  });
  try {
    await Promise.all(servers.map((server) => server.start()));
    await waitFor(
      () => servers.some((server) => server.said().includes("JetStream cluster new metadata leader")),
      servers[0]!,
    );
  } catch (error) {
    for (const server of servers) server.close();
    throw error;
  }
  return servers;
}

async function choosePlace(host: LabHost | undefined, index = 0): Promise<Place> {
  const why = lack("nats");
  if (why !== undefined) throw new Error(`Cannot start a NATS server: ${why}`);
  // A host of the lab has all ports for itself.
  if (host !== undefined) return { host, address: host.address, port: 4222 + index, routePort: 6222 + index };
  const [port, routePort] = await Promise.all([freePort(), freePort()]);
  return { host, address: "127.0.0.1", port, routePort };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** One NATS server. */
export class NatsServer implements Disposable {
  /** Where clients connect to, as `nats://10.77.0.1:4222`. */
  readonly url: string;
  readonly #folder = mkdtempSync(join(tmpdir(), "dmabuf-nats-"));
  readonly #log = join(this.#folder, "log");
  readonly #host: LabHost | undefined;
  readonly #pid = join(this.#folder, "pid");
  #warden: ChildProcess | undefined;

  constructor({ host, address, port }: Place, settings: readonly string[]) {
    this.url = `nats://${address}:${port}`;
    this.#host = host;
    const lines = [
      `listen: ${address}:${port}`,
      `server_name: "at-${port}"`,
      `pid_file: "${this.#pid}"`,
      `jetstream { store_dir: "${join(this.#folder, "jetstream")}", max_mem: 256M, max_file: 256M }`,
      ...settings,
    ];
    writeFileSync(join(this.#folder, "conf"), lines.join("\n"));
  }

  /** Starts it, also again. Resolves when it serves. */
  async start(): Promise<void> {
    writeFileSync(this.#log, "");
    rmSync(this.#pid, { force: true });
    const args = ["-c", WARDEN, "warden", "nats-server", "-c", join(this.#folder, "conf"), "-l", this.#log];
    const options = {
      stdio: ["pipe", "ignore", "ignore"] as ["pipe", "ignore", "ignore"],
      env: { ...process.env, PATH },
    };
    this.#warden = this.#host?.spawn("sh", args, options) ?? spawn("sh", args, options);
    this.#warden.unref();
    (this.#warden.stdin as unknown as { unref(): void }).unref();
    await waitFor(() => this.said().includes("Server is ready"), this);
  }

  /** What it has said since it was started. */
  said(): string {
    return readFileSync(this.#log, "utf8");
  }

  get pid(): number {
    return Number(readFileSync(this.#pid, "utf8"));
  }

  /** Whether it was started, and not killed. */
  get isRunning(): boolean {
    return this.#warden !== undefined && existsSync(this.#pid);
  }

  /** Kills it at once. */
  async kill(): Promise<void> {
    const warden = this.#warden;
    this.#warden = undefined;
    if (warden === undefined || warden.exitCode !== null) return;
    const exit = once(warden, "exit");
    warden.ref();
    this.#end(warden);
    await exit;
  }

  /** It does nothing, and no client is told. */
  stop(): void {
    process.kill(this.pid, "SIGSTOP");
  }

  goOn(): void {
    process.kill(this.pid, "SIGCONT");
  }

  /** Ends it, and removes what it has stored. */
  close(): void {
    if (this.#warden !== undefined) this.#end(this.#warden);
    this.#warden = undefined;
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Its host may have ended with all that was there. */
  #end(warden: ChildProcess): void {
    try {
      process.kill(this.pid, "SIGKILL");
    } catch (error) {
      if (!["ESRCH", "ENOENT"].includes((error as { code: string }).code)) throw error;
    }
    warden.stdin!.end();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

async function waitFor(ready: () => boolean, server: NatsServer): Promise<void> {
  for (const end = Date.now() + START_LIMIT; !ready(); await sleep(10)) {
    if (Date.now() > end) throw new Error(`The NATS server does not come up: ${server.said()}`);
  }
}
