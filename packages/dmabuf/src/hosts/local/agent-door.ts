import type { Socket } from "node:net";
import { codeOf, DmaBufError, textOf } from "../../errors.js";
import type { Host } from "../../host/host.js";
import { Acceptor } from "../../node/connecting/acceptor.js";
import { KnownUsers } from "../../node/connecting/known-users.js";
import { ListeningSocket } from "../../node/connecting/listening-socket.js";
import { endConnection } from "../../node/resources/let-go.js";
import type { AgentCalls } from "../calls.js";
import { infoOf, type HostsView } from "../hosts-info.js";
import { agentPlace, KNOCK, type AgentLine, type MemberLine } from "./local-lines.js";

/**
 * Where other processes of a host's domain find the host's agent.
 *
 * agent-door.1. There is one place for each domain: a second agent of one domain is refused with `EADDRINUSE`.
 * agent-door.2. Only processes of known users are let in, as the kernel says who they are.
 * agent-door.3. A process may ask for several things at once. What it gives up, or leaves behind when it ends, is told to what does it.
 * agent-door.4. At most 256 calls of one process wait for their answers: one more is refused with `EBUSY`.
 */
export class AgentDoor {
  readonly #view: HostsView;
  readonly #calls: AgentCalls;
  readonly #members = new Set<Socket>();
  readonly #socket: ListeningSocket;
  readonly #acceptor: Acceptor;
  readonly #end: () => void;

  /** @throws {DmaBufError} `EADDRINUSE` if the domain has an agent for its host. */
  constructor(domain: string, view: HostsView, calls: AgentCalls, users: readonly number[], host: Host) {
    this.#view = view;
    this.#calls = calls;
    this.#acceptor = new Acceptor({
      users: new KnownUsers(users),
      refusal: "Cannot ask the host's agent",
      accept: (connection, request) => this.#accept(connection, request),
      hungUp: (connection) => void this.#members.delete(connection),
      host,
    });
    this.#socket = new ListeningSocket(agentPlace(domain), this.#acceptor);
    this.#end = view.onHost(({ lost }) => {
      this.tell();
      lost.addEventListener("abort", () => this.tell(), { once: true });
    });
  }

  /** Tells all processes which hosts there are. */
  tell(): void {
    for (const member of this.#members) say(member, this.#state());
  }

  close(): void {
    this.#end();
    this.#socket.close();
    this.#acceptor.close();
  }

  #state(): AgentLine {
    return { self: infoOf(this.#view.self), others: this.#view.others.map(infoOf) };
  }

  #accept(connection: Socket, request: object): (line: object) => void {
    if ((request as Partial<typeof KNOCK>).hosts !== KNOCK.hosts) {
      throw new DmaBufError("EPROTO", "The host's agent is of another version");
    }
    this.#members.add(connection);
    say(connection, this.#state());
    const running = new Map<number, AbortController>();
    connection.once("close", () => {
      for (const one of running.values()) one.abort(new DmaBufError("ESRCH", "The process that has asked is gone"));
    });
    return (line) => void this.#hear(connection, running, line);
  }

  async #hear(connection: Socket, running: Map<number, AbortController>, line: MemberLine): Promise<void> {
    const { call, cancel, name, body = null } = line as Partial<Record<keyof MemberLine, unknown>>;
    if (typeof cancel === "number") {
      return running.get(cancel)?.abort(new DmaBufError("ECANCELED", "The process has given it up"));
    }
    if (typeof call !== "number" || typeof name !== "string" || running.has(call)) return endConnection(connection);
    const end = new AbortController();
    try {
      if (running.size >= MOST_CALLS) throw new DmaBufError("EBUSY", "Too many calls wait for their answers");
      running.set(call, end);
      say(connection, { answer: call, body: await this.#calls.call(name, body as never, end.signal) });
    } catch (error) {
      const plain = error instanceof DmaBufError ? error.toPlain() : { code: codeOf(error), message: textOf(error) };
      say(connection, { answer: call, error: plain });
    } finally {
      if (running.get(call) === end) running.delete(call);
    }
  }
}

/** agent-door.4. */
const MOST_CALLS = 256;
/** Bytes that a process does not take. */
const MOST_UNSENT = 4 * 1024 * 1024;

function say(connection: Socket, line: AgentLine): void {
  if (connection.destroyed) return;
  connection.write(`${JSON.stringify(line)}\n`);
  if (connection.writableLength > MOST_UNSENT) endConnection(connection);
}
