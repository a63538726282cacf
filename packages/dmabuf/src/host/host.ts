/**
 * What the core needs of its surroundings. Everything that differs between Node.js, a browser and the
 * model under test comes in through here, so that the core names no global.
 */
export interface Host {
  /** Monotonic nanoseconds on a clock that all agents of a domain share (CLOCK_MONOTONIC where there is one). */
  nowNs(): number;
  /** Whether this thread may block (a browser's main thread may not). */
  readonly mayBlock: boolean;
  /** How long a wait spins before it parks, in nanoseconds; 0 on one processor. */
  readonly spinNs: number;
  /** The number of this process, where there are processes. */
  readonly processId?: number | undefined;
  /** Whether a process of this machine is stopped; absent where that cannot be known. */
  isStopped?(process: number): boolean;
  /** Calls back after `ms`; the call of the result cancels. A timer never keeps the process alive. */
  after(ms: number, callback: () => void): () => void;
  /** Keeps the process alive until the result is called. */
  keepAlive(): () => void;
  /**
   * Reports a broken contract (a warning in the kernel's sense) and goes on.
   *
   * @param isBlocked Whether this thread is blocked, so that its event loop would not come to report it.
   */
  warn(message: string, isBlocked?: boolean): void;
}
