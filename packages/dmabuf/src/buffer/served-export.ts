import type { Agent } from "../domain/agent.js";
import { isLive, type Identity } from "../domain/agent-slot.js";
import type { BufferKey } from "./buffer-slot.js";
import type { Pages, PostedRequest } from "./request-slot.js";
import { isLater, runEnd, type Reporter } from "../domain/promised.js";
import { DmaBufError } from "../errors.js";
import { take, type Steps } from "../domain/steps.js";
import { makeReservation, type Reservation } from "../reservation/reservation.js";
import type { TakenLock } from "../reservation/reservation-state.js";
import { ReservationUser } from "../reservation/reservation-user.js";
import type { AccessMode } from "../reservation/usage.js";
import { andThen, done, type Given } from "./call.js";
import { EXPORTER, type ExporterAttachment, type ExporterOps } from "./exporter.js";
import type { FilledPages } from "./filled-pages.js";
import { mapPinned, unmapPinned } from "./pinned-map.js";
import type { StorageSegment } from "./storage.js";

/**
 * A buffer that this agent exports with operations of its own, and what other agents have of it: their importers, with
 * their mappings and pins, and their accesses. It lives as long as the buffer does, with any holder.
 *
 * served-export.1. What an agent was given is given back once: when it says so, when it no longer wants what it asked
 *     for, or when it is dead and nothing is being done for it.
 * served-export.2. What is given back runs in order: an importer's mappings before its end, ends of accesses before
 *      later begins.
 */
export class ServedExport {
  readonly key: BufferKey;
  readonly ops: ExporterOps;
  readonly reservation: ReservationUser;
  /** Keeps the buffer from being freed until the result is called; `undefined` if it is gone. */
  readonly keep: () => (() => void) | undefined;
  readonly #agent: Agent;
  readonly #importers = new Map<string, RemoteImporter>();
  readonly #accesses: { readonly owner: Identity; readonly mode: AccessMode }[] = [];
  readonly #ends: Sequence;
  /** The reservation as the exporter's operations get it. */
  readonly #shown: Reservation;
  /** What importers of this agent give back. */
  readonly #own = new Set<Sequence>();
  /** Of a paged buffer. */
  readonly #pages: FilledPages | undefined;
  /** For whom the exporter is working just now, each as often as it asked. */
  readonly #asking: Identity[] = [];
  /** The dead whose things are being given back just now. */
  readonly #swept = new Set<Identity>();

  constructor(
    agent: Agent,
    key: BufferKey,
    ops: ExporterOps,
    keep: () => (() => void) | undefined,
    pages?: FilledPages,
  ) {
    this.#agent = agent;
    this.key = key;
    this.ops = agent.validation?.exporter(ops, key.slot) ?? ops;
    this.keep = keep;
    this.#pages = pages;
    this.reservation = ReservationUser.of(agent, key.slot, () => ({ release: keep()! }));
    this.#shown = makeReservation(this.reservation);
    this.#ends = new Sequence(this);
  }

  /** Reports what no agent waits for. */
  warn(message: string): void {
    if (!this.#agent.closed) this.#agent.host.warn(message);
  }

  /** In which an importer of this agent gives back what it has; before that is over, the buffer is not released. */
  sequence(): Sequence {
    const sequence = new Sequence(this, (isUnderWay) => {
      if (isUnderWay) this.#own.add(sequence);
      else this.#own.delete(sequence);
    });
    return sequence;
  }

  /** Begins an access, after the ends of those before it. */
  begin(mode: AccessMode): Given<void> {
    const begin = (): Given<void> => done(this.ops.beginCpuAccess?.(mode));
    return this.#ends.pending === undefined ? begin() : this.#ends.pending.then(begin);
  }

  /**
   * Does what was asked for; call {@link settled} when its answer is known.
   *
   * @returns For `attach`, whether storage on another device may be mapped.
   */
  perform(request: PostedRequest): Given<boolean> {
    const { operation, mode, requester } = request;
    this.#asking.push(requester);
    if (operation === "begin") {
      return andThen(this.begin(mode), () => {
        this.#accesses.push({ owner: requester, mode });
        return false;
      });
    }
    if (operation === "mmap") return andThen(done(this.ops.mmap?.()), () => false);
    if (operation === "fault") return andThen(this.fault(request.pages!), () => false);
    if (operation === "pinPages") return andThen(this.pinPages(requester), () => false);
    const id = `${requester} ${request.attachment}`;
    const importer = this.#importers.get(id) ?? new RemoteImporter(request, this.#shown, new Sequence(this));
    const keep = (): boolean => {
      this.#importers.set(id, importer);
      return importer.peerToPeer;
    };
    if (operation === "attach") return andThen(done(this.ops.attach?.(importer)), keep);
    if (operation === "pin") {
      return andThen(done(this.ops.pin?.(importer)), () => {
        importer.pins++;
        return keep();
      });
    }
    if (operation !== "map") throw new DmaBufError("EINVAL", `No agent waits for the answer to "${operation}"`);
    return andThen(mapPinned(this.ops, importer, mode, this), (segments) => {
      importer.tables.set(request.mapping, segments);
      return keep();
    });
  }

  /** The requester has the answer, or what was done for it is undone: now its death counts. */
  settled({ requester }: PostedRequest): void {
    this.#asking.splice(this.#asking.indexOf(requester), 1);
    if (!isLive(this.#agent, requester)) this.sweep();
  }

  /** Takes back what {@link perform} has done, with the lock still held if it was. */
  undo(request: PostedRequest): Given<void> {
    const { operation, mode, requester } = request;
    const importer = this.#importers.get(`${requester} ${request.attachment}`);
    if (operation === "begin") return this.#end(requester, mode);
    if (operation === "pinPages") return this.unpinPages(requester);
    if (importer === undefined) return;
    if (operation === "map") return this.#unmap(importer, request.mapping);
    if (operation === "pin") return this.#unpin(importer);
    if (operation === "attach") return this.#detach(importer);
  }

  /** Takes what an agent gives back; runs at once as far as nothing is in the way. */
  giveBack(request: PostedRequest): void {
    const { operation, mode, requester } = request;
    const importer = this.#importers.get(`${requester} ${request.attachment}`);
    if (operation === "end") this.#ends.run(() => this.#end(requester, mode));
    if (operation === "unpinPages") this.unpinPages(requester);
    if (importer === undefined) return;
    const { returns } = importer;
    if (operation === "unmap") returns.run(() => this.locked(() => this.#unmap(importer, request.mapping)));
    if (operation === "unpin") returns.run(() => this.locked(() => this.#unpin(importer)));
    if (operation === "detach") returns.run(() => this.#detach(importer));
  }

  /** Fills pages of a paged buffer. */
  fault(pages: Pages): Given<void> {
    return this.#pagesOr("fault").fault(pages);
  }

  /** Fills all pages of a paged buffer, and keeps them until the end that belongs to it. */
  pinPages(owner = this.#agent.identity): Given<void> {
    return this.#pagesOr("pinPages").pin(owner);
  }

  unpinPages(owner = this.#agent.identity): void {
    this.#pages?.unpin(owner);
  }

  #pagesOr(operation: string): FilledPages {
    if (this.#pages !== undefined) return this.#pages;
    throw new DmaBufError("EINVAL", `The exporter has no operation "${operation}": its buffer has no pages to fill`);
  }

  /** Whether an agent is dead that has something of the buffer. */
  get hasDeadClients(): boolean {
    return this.#bereft().length > 0;
  }

  /** Gives back what dead agents had. */
  sweep(): void {
    for (const owner of this.#bereft()) {
      this.#swept.add(owner);
      void Promise.all(this.#giveAllBack(owner)).then(() => this.#swept.delete(owner));
    }
  }

  /** The buffer is gone: gives back what is left, and calls the exporter's `release`. */
  end(): void {
    const pending = this.#owners().flatMap((owner) => this.#giveAllBack(owner));
    for (const own of this.#own) if (own.pending !== undefined) pending.push(own.pending);
    const release = (): void => void runEnd(this, EXPORTER, () => this.ops.release());
    if (pending.length === 0) release();
    else void Promise.all(pending).then(release);
  }

  /** @returns What is still under way. */
  #giveAllBack(owner: Identity): Promise<void>[] {
    const sequences = new Set([this.#ends]);
    this.#pages?.unpinAll(owner);
    for (const access of this.#accesses.filter((each) => each.owner === owner)) {
      this.#ends.run(() => this.#end(owner, access.mode));
    }
    for (const importer of this.#importers.values()) {
      if (importer.owner !== owner) continue;
      const { returns, tables, pins } = importer;
      sequences.add(returns);
      for (const mapping of [...tables.keys()]) returns.run(() => this.locked(() => this.#unmap(importer, mapping)));
      for (let pin = 0; pin < pins; pin++) returns.run(() => this.locked(() => this.#unpin(importer)));
      returns.run(() => this.#detach(importer));
    }
    return [...sequences].map(({ pending }) => pending).filter((pending) => pending !== undefined);
  }

  #unmap(importer: RemoteImporter, mapping: number): Given<void> {
    const segments = importer.tables.get(mapping);
    if (segments !== undefined && importer.tables.delete(mapping)) {
      return unmapPinned(this.ops, importer, segments, this);
    }
  }

  #unpin(importer: RemoteImporter): Given<void> {
    if (importer.pins === 0) return;
    importer.pins--;
    return done(this.ops.unpin?.(importer));
  }

  #detach(importer: RemoteImporter): Given<void> {
    if (this.#importers.delete(importer.id)) return done(this.ops.detach?.(importer));
  }

  #end(owner: Identity, mode: AccessMode): Given<void> {
    const index = this.#accesses.findIndex((access) => access.owner === owner && access.mode === mode);
    if (index < 0) return;
    this.#accesses.splice(index, 1);
    return done(this.ops.endCpuAccess?.(mode));
  }

  /** Runs under the lock. A buffer that is gone has none: no other access is left. */
  locked(run: () => Given<void>): Given<void> {
    const unkeep = this.keep();
    if (unkeep === undefined) return run();
    // An agent that leaves has closed its reservation before its importers are detached.
    const reservation = this.reservation.isClosed ? this.reservation.another() : this.reservation;
    const lock = reservation.tryLock();
    if (lock === undefined) return this.#lockedLater(reservation, run).finally(unkeep);
    const end = (): void => {
      lock[Symbol.dispose]();
      unkeep();
    };
    let answer: Given<void>;
    try {
      answer = run();
    } catch (error) {
      end();
      throw error;
    }
    if (!isLater(answer)) return end();
    lock.spansTurns = true;
    return answer.finally(end);
  }

  async #lockedLater(reservation: ReservationUser, run: () => Given<void>): Promise<void> {
    let lock: TakenLock | undefined;
    try {
      lock = await take(this.#agent, lockingOverTurns(reservation), { unref: true });
    } catch (error) {
      // In an agent that leaves, there is no lock to be had any more.
      if (!reservation.isClosed && !this.#agent.closed) throw error;
    }
    try {
      await run();
    } finally {
      lock?.[Symbol.dispose]();
    }
  }

  #bereft(): Identity[] {
    return this.#owners().filter(
      (owner) => !isLive(this.#agent, owner) && !this.#swept.has(owner) && !this.#asking.includes(owner),
    );
  }

  #owners(): Identity[] {
    const importers = [...this.#importers.values()].map(({ owner }) => owner);
    return [...new Set([...importers, ...this.#accesses.map(({ owner }) => owner), ...(this.#pages?.owners ?? [])])];
  }
}

/** Takes the lock for the library: no code of the program that runs before it goes on is taken for its holder. */
function* lockingOverTurns(reservation: ReservationUser): Steps<TakenLock> {
  const lock = yield* reservation.locking();
  lock.spansTurns = true;
  return lock;
}

/** An importer in another agent. */
class RemoteImporter implements ExporterAttachment {
  readonly id: string;
  readonly owner: Identity;
  readonly importer: { readonly name?: string; readonly allowPeerToPeer: boolean };
  readonly isDynamic: boolean;
  readonly reservation: Reservation;
  peerToPeer: boolean;
  pins = 0;
  /** What it gives back, in order. */
  readonly returns: Sequence;
  readonly tables = new Map<number, readonly StorageSegment[]>();

  constructor(request: PostedRequest, reservation: Reservation, returns: Sequence) {
    const { requester, attachment, name, isDynamic, allowPeerToPeer } = request;
    this.id = `${requester} ${attachment}`;
    this.owner = requester;
    this.importer = { allowPeerToPeer, ...(name !== "" && { name }) };
    this.isDynamic = isDynamic;
    this.peerToPeer = allowPeerToPeer;
    this.reservation = reservation;
    this.returns = returns;
  }
}

/** Things that run one after the other, at once if nothing is in the way. */
export class Sequence {
  readonly #host: Reporter;
  readonly #told: (isUnderWay: boolean) => void;
  /** Resolves when nothing is under way. */
  pending: Promise<void> | undefined;

  /**
   * @param host Hears of failures: no agent waits for what runs here.
   * @param told Hears when something is under way, and when nothing is any more.
   */
  constructor(host: Reporter, told: (isUnderWay: boolean) => void = () => {}) {
    this.#host = host;
    this.#told = told;
  }

  run(run: () => Given<void>): void {
    const end = (): Given<void> => runEnd(this.#host, EXPORTER, run);
    const answer = this.pending === undefined ? end() : this.pending.then(end);
    if (!isLater(answer)) return;
    this.pending = answer;
    this.#told(true);
    void answer.then(() => {
      if (this.pending !== answer) return;
      this.pending = undefined;
      this.#told(false);
    });
  }
}
