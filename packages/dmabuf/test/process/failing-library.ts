import Module from "node:module";
import type koffiModule from "koffi";

/**
 * The C library of this thread, of which one call fails: calls are numbered, and the one with the number returns -1 with
 * an errno that it can have, and does nothing. Which calls can fail so is in ERRNOS; all others have no number, for
 * example `munmap` and `close`: there is nothing to give back when they fail.
 */

/** The errno of each function, for want of descriptors, memory, or room. */
const ERRNOS: Record<string, number> = {
  open: 24,
  pipe2: 24,
  eventfd: 24,
  memfd_create: 24,
  socket: 24,
  socketpair: 24,
  accept4: 24,
  epoll_create1: 24,
  epoll_ctl: 28,
  ftruncate: 28,
  fallocate: 28,
  mmap: 12,
  mprotect: 12,
  bind: 12,
  listen: 12,
  connect: 12,
  sendmsg: 12,
  recvmsg: 12,
  getsockopt: 105,
  setsockopt: 12,
  flock: 37,
  ioctl: 12,
};

/** Of fcntl(2) the commands that make something: duplicates, locks and seals. */
const COMMANDS: Record<number, number> = { 1030: 24, 37: 37, 1033: 1 };
const F_OFD_SETLK = 37;
const F_UNLCK = 2;
const EPOLL_CTL_ADD = 1;
const MAP_FIXED = 0x10;

/** What only takes something away, or puts it in the place of something: there is always room for that. */
const TAKES_NOTHING: Record<string, (values: readonly unknown[]) => boolean> = {
  fcntl: ([, command, record]) => command === F_OFD_SETLK && (record as DataView).getInt16(0, true) === F_UNLCK,
  epoll_ctl: ([, operation]) => operation !== EPOLL_CTL_ADD,
  mmap: ([, , , flags]) => ((flags as number) & MAP_FIXED) !== 0,
};

type Call = (...values: unknown[]) => unknown;

export class FailingLibrary {
  /** Called before each call, with the function's name; it does not hear of the calls that it makes itself. */
  before: (name: string) => void = () => {};
  #isIn = false;
  #calls = 0;
  #at = 0;
  #failed: string | undefined;
  #errno: number | undefined;

  /** Puts it between this thread and the C library. Call it before anything else makes a system call. */
  static install(): FailingLibrary {
    const library = new FailingLibrary();
    const loader = Module as unknown as { _load: (name: string, ...rest: unknown[]) => unknown };
    const load = loader._load;
    loader._load = (name, ...rest) => {
      const loaded = load(name, ...rest);
      return name.startsWith("@koromix/koffi-") ? library.#around(loaded as typeof koffiModule) : loaded;
    };
    return library;
  }

  /** Numbers the calls anew. @param at The one that fails; 0 for none. */
  begin(at: number): void {
    this.#calls = 0;
    this.#at = at;
    this.#failed = undefined;
  }

  /** No call fails any more. @returns The name of the one that has. */
  end(): string | undefined {
    this.#at = 0;
    return this.#failed;
  }

  /** Does something of which `before` does not hear. In what it does itself, it does nothing. */
  unheard(act: () => void): void {
    if (this.#isIn) return;
    this.#isIn = true;
    try {
      act();
    } finally {
      this.#isIn = false;
    }
  }

  /** How many calls that can fail were made. */
  get calls(): number {
    return this.#calls;
  }

  #around(koffi: typeof koffiModule): object {
    const load = (path: string | null): object => {
      const library = koffi.load(path);
      return { func: (declaration: string) => this.#wrap(declaration, library.func(declaration) as Call) };
    };
    const errno = (): number => this.#errno ?? koffi.errno();
    return { ...koffi, load, errno };
  }

  #wrap(declaration: string, call: Call): Call {
    const name = /(\w+)\(/.exec(declaration)![1]!;
    return (...values) => {
      this.unheard(() => this.before(name));
      this.#errno = this.#errnoOf(name, values);
      return this.#errno === undefined ? call(...values) : -1;
    };
  }

  /** The errno with which this call fails, if it is its turn. */
  #errnoOf(name: string, values: readonly unknown[]): number | undefined {
    const errno = name === "fcntl" ? COMMANDS[values[1] as number] : ERRNOS[name];
    if (errno === undefined || TAKES_NOTHING[name]?.(values) === true) return undefined;
    this.#calls++;
    if (this.#calls !== this.#at) return undefined;
    this.#failed = name;
    return errno;
  }
}
