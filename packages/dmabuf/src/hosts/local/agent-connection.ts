import { setMaxListeners } from "node:events";
import { Socket } from "node:net";
import { DmaBufError } from "../../errors.js";
import { onLines, remoteError, type WaitLimits } from "../../node/connecting/json-lines.js";
import { KnownUsers } from "../../node/connecting/known-users.js";
import { connectInTime } from "../../node/connecting/listening-socket.js";
import { endConnection } from "../../node/resources/let-go.js";
import type { JsonValue } from "../../stream/metadata.js";
import type { Calls } from "../calls.js";
import type { HostInfo, HostsView, OtherHost } from "../hosts-info.js";
import { agentPlace, KNOCK, type AgentLine } from "./local-lines.js";

interface Known {
  readonly host: OtherHost;
  readonly end: AbortController;
}

interface Pending {
  readonly resolve: (body: JsonValue) => void;
  readonly reject: (error: unknown) => void;
}

/** The hosts as the agent of this process's host tells of them. Once the agent is gone, so are they all. */
export class AgentConnection implements HostsView, Calls {
  readonly #socket: Socket;
  readonly #known = new Map<string, Known>();
  readonly #heard = new Set<(host: OtherHost) => void>();
  readonly #pending = new Map<number, Pending>();
  #self!: HostInfo;
  #last = 0;
  #gone: DmaBufError | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /**
   * @throws {DmaBufError} `ENOENT` if the domain has no agent for its host; `EACCES` if it is no known user's, or does not let this
   *   one in; `ETIMEDOUT`. The signal's reason if it aborts.
   */
  static async open(domain: string, users: readonly number[], limits: WaitLimits): Promise<AgentConnection> {
    const approach = {
      where: agentPlace(domain),
      users: new KnownUsers(users),
      action: "Cannot ask the host's agent",
    };
    const descriptor = await connectInTime(approach, limits).catch((cause: unknown) => {
      if (!(cause instanceof DmaBufError) || cause.code !== "ECONNREFUSED") throw cause;
      const how = "one process of each host runs Hosts.join(), or `npx dmabuf host`";
      throw new DmaBufError("ENOENT", `The domain has no agent for its host: ${how}`, { cause });
    });
    const connection = new AgentConnection(new Socket({ fd: descriptor }));
    await connection.#begin(limits);
    return connection;
  }

  get self(): HostInfo {
    return this.#self;
  }

  get others(): readonly OtherHost[] {
    return [...this.#known.values()].map(({ host }) => host);
  }

  onHost(heard: (host: OtherHost) => void): () => void {
    this.#heard.add(heard);
    for (const host of this.others) heard(host);
    return () => this.#heard.delete(heard);
  }

  async call(name: string, body: JsonValue, signal?: AbortSignal): Promise<JsonValue> {
    signal?.throwIfAborted();
    if (this.#gone !== undefined) throw this.#gone;
    const call = ++this.#last;
    const abort = (): void => {
      this.#settle(call)?.reject(signal?.reason);
      this.#say({ cancel: call });
    };
    signal?.addEventListener("abort", abort, { once: true });
    // The answer is what this waits for: the process lives for it.
    this.#socket.ref();
    try {
      return await new Promise<JsonValue>((resolve, reject) => {
        this.#pending.set(call, { resolve, reject });
        this.#say({ call, name, body });
      });
    } finally {
      signal?.removeEventListener("abort", abort);
      if (this.#pending.size === 0) this.#socket.unref();
    }
  }

  close(): void {
    endConnection(this.#socket);
    this.#end(new DmaBufError("ECANCELED", "This process has left the other hosts"));
  }

  /** Until the agent has told which hosts there are. */
  #begin({ end, signal }: WaitLimits): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => {
        done();
        endConnection(this.#socket);
        reject(error);
      };
      const abort = (): void => fail(signal?.reason as Error);
      const timer = setTimeout(
        () => {
          fail(new DmaBufError("ETIMEDOUT", "The host's agent does not answer"));
        },
        Math.min(Math.max(0, end - performance.now()), 0x7fff_ffff),
      );
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
      };
      signal?.addEventListener("abort", abort, { once: true });
      this.#socket.on("close", () => {
        const gone = new DmaBufError("ESRCH", "The host's agent is gone");
        this.#end(gone);
        fail(gone);
      });
      onLines(this.#socket, (line: AgentLine & { readonly code?: unknown; readonly message?: unknown }) => {
        if (line.code !== undefined) return fail(remoteError("The host's agent", line));
        this.#hear(line);
        if (line.self === undefined) return;
        done();
        resolve();
      });
      this.#say(KNOCK);
    });
  }

  #say(line: object): void {
    if (!this.#socket.destroyed) this.#socket.write(`${JSON.stringify(line)}\n`);
  }

  #hear({ answer, body = null, error, self, others }: AgentLine): void {
    if (self !== undefined && others !== undefined) {
      this.#self = self;
      this.#update(others);
    }
    if (answer === undefined) return;
    const pending = this.#settle(answer);
    if (error === undefined) pending?.resolve(body);
    else pending?.reject(remoteError("The host's agent", error));
  }

  #update(others: readonly HostInfo[]): void {
    const keyOf = ({ id, incarnation }: HostInfo): string => `${id} ${incarnation}`;
    const now = new Map(others.map((host) => [keyOf(host), host]));
    for (const [key, { host, end }] of this.#known) {
      if (now.delete(key)) continue;
      this.#known.delete(key);
      end.abort(new DmaBufError("ESRCH", `Host ${JSON.stringify(host.name)} is lost`));
    }
    for (const [key, info] of now) {
      const end = new AbortController();
      setMaxListeners(0, end.signal);
      const host = { ...info, lost: end.signal };
      this.#known.set(key, { host, end });
      for (const heard of this.#heard) heard(host);
    }
  }

  #settle(call: number): Pending | undefined {
    const pending = this.#pending.get(call);
    this.#pending.delete(call);
    return pending;
  }

  #end(reason: DmaBufError): void {
    this.#gone ??= reason;
    for (const { reject } of this.#pending.values()) reject(this.#gone);
    this.#pending.clear();
    for (const { end } of this.#known.values()) end.abort(this.#gone);
    this.#known.clear();
  }
}
