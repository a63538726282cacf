/** Another host, or this one. */
export interface HostInfo {
  /** Never given to another host: one that has ended and begins again has another. */
  readonly id: string;
  /** For people. */
  readonly name: string;
  /** Rises each time that the host was silent for too long, and has come back. */
  readonly incarnation: number;
  /** Where it listens. */
  readonly address: string;
}

/** Another host, as long as it lives to this one. */
export interface OtherHost extends HostInfo {
  /** Aborts with a `DmaBufError` (`ESRCH`) when this incarnation of it is lost. */
  readonly lost: AbortSignal;
}

/** What a process of a host knows of all hosts, as the host's agent or through it. */
export interface HostsView {
  readonly self: HostInfo;
  readonly others: readonly OtherHost[];
  /** Calls for each that is there and for each that comes. */
  onHost(heard: (host: OtherHost) => void): () => void;
  close(): void | Promise<void>;
}

export function infoOf({ id, name, incarnation, address }: HostInfo): HostInfo {
  return { id, name, incarnation, address };
}
