import { Party, type Lab, type LabHost, type NatsServer } from "dmabuf-host-lab";
import type { Load, Received } from "./side.js";

const PROGRAM = new URL("side.js", import.meta.url);
const PLACE = "@bench";
const KEY = "what the hosts of the benchmark know";
const PORT = 7_400;

export interface Run {
  readonly received: Received;
  /** Milliseconds of processor time of the two processes that speak TCP. */
  readonly cpu: number;
  /** Bytes that came to the second host, of all layers. */
  readonly network: number;
}

/** A producer on one host, consumers on another, and an agent of each. */
export class OurPair implements Disposable {
  readonly agents: Party[] = [];
  readonly consumers: Party[] = [];
  readonly producer: Party;
  readonly #keepers: Party[] = [];
  readonly #hosts: readonly LabHost[];

  private constructor({ hosts }: Lab) {
    this.#hosts = hosts;
    this.producer = new Party(PROGRAM, { host: hosts[0] });
  }

  static async start(lab: Lab, consumers: number, options: object = {}, broker?: NatsServer): Promise<OurPair> {
    const pair = new OurPair(lab);
    for (const host of lab.hosts.slice(0, 2)) {
      const keeper = new Party(PROGRAM, { host });
      pair.#keepers.push(keeper);
      await keeper.ask("listen", PLACE);
      const agent = new Party(PROGRAM, { host });
      pair.agents.push(agent);
      await agent.ask("connect", PLACE);
      const ways =
        broker === undefined
          ? { peers: lab.hosts.map(({ address }) => `${address}:${PORT}`), key: KEY }
          : { servers: [broker.url] };
      await agent.ask("join", { name: host.name, bind: host.address, port: PORT, ...ways, ...options });
    }
    await pair.producer.ask("connect", PLACE);
    for (let i = 0; i < consumers; i++) {
      const consumer = new Party(PROGRAM, { host: lab.hosts[1] });
      pair.consumers.push(consumer);
      await consumer.ask("connect", PLACE);
    }
    return pair;
  }

  /** Begins; what comes back is over with the stream. */
  async begin(load: Load): Promise<Promise<Received>[]> {
    this.producer.ask("produce", load).catch(() => {});
    await this.agents[1]!.ask("want");
    return this.consumers.map((consumer) => consumer.ask<Received>("consume"));
  }

  async run(load: Load): Promise<Run> {
    const before = await this.#used();
    const runs = await this.begin(load);
    const [received] = await Promise.all(runs);
    const after = await this.#used();
    return { received: received!, cpu: after.cpu - before.cpu, network: after.network - before.network };
  }

  async #used(): Promise<{ readonly cpu: number; readonly network: number }> {
    const [a, b] = await Promise.all(this.agents.map((agent) => agent.ask<number>("cpu")));
    return { cpu: a! + b!, network: this.#hosts[1]!.bytes().received };
  }

  [Symbol.dispose](): void {
    for (const party of [...this.#keepers, ...this.agents, ...this.consumers, this.producer]) void party.kill();
  }
}

/** A sender on one host and a receiver on the other that have nothing but a connection, and read into shared memory. */
export async function runTcp({ hosts }: Lab, load: Load): Promise<Run> {
  const [sender, receiver] = hosts.slice(0, 2).map((host) => new Party(PROGRAM, { host }));
  try {
    const both = { ...load, address: hosts[0]!.address, port: 7_500 };
    const cpu = async (): Promise<number> => (await sender!.ask<number>("cpu")) + (await receiver!.ask<number>("cpu"));
    const [before, bytes] = [await cpu(), hosts[1]!.bytes().received];
    const sent = sender!.ask("send", both);
    const received = await receiver!.ask<Received>("receive", both);
    await sent;
    return { received, cpu: (await cpu()) - before, network: hosts[1]!.bytes().received - bytes };
  } finally {
    await Promise.all([sender!.kill(), receiver!.kill()]);
  }
}
