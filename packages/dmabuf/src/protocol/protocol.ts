/**
 * The protocols that are compiled to WebAssembly from `assembly/`, for one segment.
 *
 * protocol.1. There is one source. Its `atomic` build works on a shared `WebAssembly.Memory`. Its `streams` build is the same
 *     for size, with only what `dmabuf/streams` calls. Its `words` build calls the functions of a `Substrate` for each word, and
 *     is turned into JavaScript: so the interleaving explorer and a killing test see every step, and it serves where such a
 *     memory cannot be had, or no WebAssembly at all.
 * protocol.2. A module keeps nothing between two calls. So a call that ends at any word by an exception, or with its
 *     agent, leaves nothing but that word.
 * protocol.3. Places that depend on the sizes of the domain are imported when a module is bound to a segment.
 */
export interface Protocol {
  /** Whether an agent is joined and has not died; 0 for no. */
  isLive(identity: number): number;
  /** Wakes an agent, whether it waits synchronously, asynchronously or both. */
  ring(slot: number): void;
  /** Rings every agent whose bit is set in the array, and clears the bits. */
  ringAll(array: number): void;

  /** Whether a fence is signaled; 0 for no. It is named by its slot, the slot's generation, and its number. */
  isKeySignaled(slot: number, generation: number, sequence: number): number;
  /** The same, looked at again and again while the fence is pending, up to `looks` times. */
  spinSignaled(slot: number, generation: number, sequence: number, looks: number): number;
  /** Whether a fence is signaled and its work has finished; 0 for no. */
  isKeyFinished(slot: number, generation: number, sequence: number): number;
  /** 0 pending, 1 signaled, a negative errno if the fence failed. */
  keyStatus(slot: number, generation: number, sequence: number): number;
  /** When the fence signaled, in nanoseconds; -1 if that is no longer kept. */
  keyTime(slot: number, generation: number, sequence: number): number;
  /** Makes sure that the agent is rung when the fence signals. */
  armKey(slot: number, sequence: number, identity: number): void;
  /** A number that changes with every step forward of the fence's context. */
  keyProgress(slot: number): number;
  /** Tells the fence's owner a deadline, both times in nanoseconds. */
  hintDeadline(slot: number, generation: number, deadline: number, now: number): void;
  /** The earliest deadline that was asked of the fence's context, in nanoseconds; 0 for none. */
  keyDeadline(slot: number, generation: number): number;
  /** The identity of the agent that signals the fence, 0 for none. */
  keyOwner(slot: number, generation: number): number;
  /** What a fence failed with whose slot has been used again: a positive errno, or 0. */
  findRetired(slot: number, generation: number, sequence: number): number;

  /** Completes a timeline's fences after number `completed`; 0 if the timeline has ended. */
  completeTimeline(slot: number, generation: number, completed: number, sequence: number, timestamp: number): number;
  /** Moves a software timeline on; returns its number, which may be beyond the last; -1 if it has ended. */
  advanceTimeline(slot: number, generation: number, amount: number, timestamp: number): number;
  /** Rings all agents that wait on a timeline. */
  ringTimeline(slot: number): void;
  /** Signals a published fence; 0 if another call has decided it. */
  completeOneShot(slot: number, generation: number, error: number, timestamp: number): number;

  /** Takes a reservation's lock if it is open or its holder is dead; returns one of LOCK_ATTEMPT. */
  tryTakeLock(buffer: number, identity: number, ticket: number, held: number): number;
  /** Opens the lock, unless the holder no longer has it. */
  openLock(buffer: number, holder: number, ticket: number): void;
  /** Makes sure that the agent is rung when the lock opens. */
  armLock(buffer: number, identity: number): void;
  /** The identity of the lock's holder, 0 if it is open. */
  lockHolder(buffer: number): number;

  /** Whether a buffer's fences up to a level are all signaled, or all finished; -1 if they changed in between. */
  testEntries(buffer: number, level: number, finished: number): number;
  /** Adds a fence to a buffer that is locked; 0 if there is no room. */
  addEntry(buffer: number, slot: number, generation: number, sequence: number, level: number, room: number): number;
  /** How many fences a buffer that is locked has. */
  countEntries(buffer: number): number;
  /** Puts the unfinished fences of `source` in the place of all; returns how many, -1 if they changed in between. */
  copyEntries(buffer: number, source: number): number;
  /** Puts a fence in the place of all fences of a context. */
  replaceEntries(
    buffer: number,
    context: number,
    slot: number,
    generation: number,
    sequence: number,
    level: number,
  ): void;

  /** Takes a read hold of a buffer; 0 if there is a writer. */
  tryRead(buffer: number, identity: number): number;
  /** Takes the write hold of a buffer; 0 if any agent has a hold. */
  tryWrite(buffer: number, identity: number): number;
  /** Keeps new readers and other writers of a buffer out; 0 if there is a writer. */
  claimWriter(buffer: number, identity: number): number;
  /** The end of a write hold, after which the content may be another. */
  leaveWriter(buffer: number, identity: number): void;
  /** The end of a write hold that has written nothing. */
  dropWriter(buffer: number, identity: number): void;
  leaveReaders(buffer: number, identity: number): void;
  /** Makes sure that an agent is rung when a hold of the buffer ends. */
  armHold(buffer: number, identity: number): void;
  /** Whether any agent reads a buffer; 0 for no. */
  anyReader(buffer: number): number;

  /**
   * Takes a place of a stream that its producer may fill, by the write hold of its buffer, and empties it if that is READY.
   *
   * @param tried A bit for each place that is not to be had.
   * @returns FOUND.
   */
  loan(stream: number, generation: number, places: number, tried: number, identity: number): number;
  /** Whether there is a place that the consumers of an agent let its producer have; 0 for no. */
  mayLoan(stream: number, places: number, tried: number, consumersOf: number): number;
  /** Makes sure that a producer is rung when a place may have become free. */
  armLoan(stream: number, generation: number, places: number, identity: number): void;
  armProducer(stream: number): void;
  /** Rings the producer if it waits. */
  ringProducer(stream: number): void;
  emptyPlace(stream: number, place: number): void;
  /** Fills a place with the next frame, ends the write hold of its buffer, and says so; 0 if the stream has ended. */
  publish(stream: number, generation: number, place: number, missed: number, identity: number): number;
  /** The frame from which on nothing may be dropped, or -1. @param consumersOf An agent, or 0 for all. */
  heldBackFrom(stream: number, consumersOf: number): number;
  /**
   * Takes the frame that a consumer wants most, by a read hold of its buffer, and moves the consumer past it.
   *
   * @param consumer The first word of its place.
   * @param reads A bit for each place whose buffer its agent reads already.
   * @returns FOUND.
   */
  take(
    stream: number,
    generation: number,
    consumer: number,
    policy: number,
    places: number,
    reads: number,
    identity: number,
  ): number;
  /** Makes sure that a consumer is rung when there may be a frame. */
  armTake(stream: number, consumer: number, policy: number, places: number, identity: number): void;
  /** Looks up to so many times whether a consumer's next frame may be there, or the stream has ended. */
  spinTake(stream: number, generation: number, consumer: number, looks: number): void;
  /** Looks up to so many times whether a producer may find a place, or the stream has ended. */
  spinLoan(stream: number, generation: number, places: number, looks: number): void;
  /** Whether there is a frame that a consumer wants; 0 for no. */
  isThere(stream: number, consumer: number, places: number): number;
  /**
   * Takes the frame that a group wants most for a member, by a read hold of its buffer and its claim.
   *
   * @param consumer The first word of the member's place.
   * @param reads A bit for each place whose buffer its agent reads already.
   * @param own A bit for each place whose frame this member has.
   * @returns FOUND.
   */
  takeShared(
    stream: number,
    generation: number,
    consumer: number,
    places: number,
    reads: number,
    own: number,
    identity: number,
  ): number;
  /** Takes the turns of those that wait for longer than a member, and have not come. */
  passOver(stream: number, consumer: number): void;
  /** Makes sure that a member is rung when there may be a frame for it. From then on it waits for its turn. */
  armShared(stream: number, consumer: number, places: number, identity: number): void;
  /** Looks up to so many times whether there may be a frame for a member, or the stream has ended. */
  spinShared(stream: number, generation: number, consumer: number, places: number, looks: number): void;
  /** Whether there is a frame that the group of a member has not done, besides those it has itself; 0 for no. */
  isOutstanding(stream: number, consumer: number, places: number, own: number): number;
  /** Ends the claim of a frame before the hold ends. @param isDone 1 if it is done; 0 for another member to get it. */
  endClaim(stream: number, generation: number, group: number, place: number, isDone: number, identity: number): void;
  /** The oldest frame there is: where a consumer that joins begins. @param end The number of the next one. */
  oldestFrame(stream: number, places: number, end: number): number;
}

/** The places that depend on a domain's sizes, by the names that scripts/layout.mjs gives them. */
export type Places = Readonly<Record<string, number>>;
