import type { Socket } from "node:net";
import { DmaBufError } from "../../errors.js";
import { Acceptor } from "../connecting/acceptor.js";
import { KnownUsers } from "../connecting/known-users.js";
import { ListeningSocket } from "../connecting/listening-socket.js";
import { answered } from "./session-lines.js";
import type { ServiceParts } from "./visitor-service.js";

/** One visitor, while it is connected. */
export interface VisitorSession {
  /** @throws {DmaBufError} For what it should not have said: it is told so, and loses its connection. */
  hear(line: object): void;
  end(): void;
}

/** Who may visit, and how. */
interface Admission<Session> {
  /** The numbers of the users whose processes may come, beside this user and root. */
  readonly users: readonly number[] | undefined;
  /** How many at the same time. */
  readonly most: number;
  /** What one that is refused cannot do: "Cannot look at the stream". */
  readonly refusal: string;
  /** What one is told that comes when there are `most`. */
  readonly full: string;
  /** @throws {DmaBufError} Which the visitor is told. */
  admit(connection: Socket, request: object): Session;
}

/** The visitors that a server has at its place, each until its connection ends. */
export class VisitorSessions<Session extends VisitorSession> {
  readonly #sessions = new Map<Socket, Session>();
  readonly #admission: Admission<Session>;
  readonly #acceptor: Acceptor;
  readonly #socket: ListeningSocket;
  readonly #closed: () => void;

  constructor(where: string, admission: Admission<Session>, { host, closed }: Pick<ServiceParts, "host" | "closed">) {
    this.#admission = admission;
    this.#closed = closed;
    this.#acceptor = new Acceptor({
      users: new KnownUsers(admission.users),
      refusal: admission.refusal,
      accept: (connection, request) => this.#accept(connection, request),
      hungUp: (connection) => {
        this.#sessions.get(connection)?.end();
        this.#sessions.delete(connection);
      },
      host,
    });
    this.#socket = new ListeningSocket(where, this.#acceptor);
  }

  get count(): number {
    return this.#sessions.size;
  }

  /** As the acceptor's own warnings. */
  warn(message: string): void {
    this.#acceptor.warn(message);
  }

  /** Lets no more in, and ends the connections of those there are. */
  close(): void {
    this.#socket.close();
    this.#acceptor.close();
    this.#closed();
  }

  #accept(connection: Socket, request: object): (line: object) => void {
    const { most, full } = this.#admission;
    if (this.#sessions.size >= most) throw new DmaBufError("ENOSPC", full);
    const session = this.#admission.admit(connection, request);
    this.#sessions.set(connection, session);
    return (line) => answered(connection, () => session.hear(line));
  }
}
