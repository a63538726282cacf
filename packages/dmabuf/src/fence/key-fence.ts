import type { Agent } from "../domain/agent.js";
import { PendingKey } from "../domain/awaited-key.js";
import { keyStatus } from "../domain/fence-slot.js";
import type { FenceKey } from "../domain/timeline-slot.js";
import { checkWait, checkWaitSync, type WaitOptions } from "../domain/wait.js";
import { DmaBufError } from "../errors.js";
import { checkFenceHandle, checkPlain, type FenceHandle, type PlainFenceHandle } from "./fence-handle.js";
import { errorOf, succeed, waitResult, type ReadFence, type WaitResult } from "./read-fence.js";

/** A fence that this agent knows by its key alone: it is read and waited for, and nothing here signals it. */
class KeyFence implements ReadFence {
  readonly context: number;
  readonly seqno: number;
  readonly driverName: string;
  readonly timelineName: string;
  readonly #agent: Agent;
  readonly #key: FenceKey;
  #status = 0;

  constructor(agent: Agent, { context, seqno, driverName, timelineName, ...key }: PlainFenceHandle) {
    this.context = context;
    this.seqno = seqno;
    this.driverName = driverName;
    this.timelineName = timelineName;
    this.#agent = agent;
    this.#key = key;
  }

  get status(): number {
    // Once it has signaled, it stays as it is: its slot may be used again.
    return (this.#status ||= keyStatus(this.#agent, this.#key));
  }

  isSignaled(): boolean {
    return this.status !== 0;
  }

  get error(): DmaBufError | undefined {
    return errorOf(this);
  }

  async wait(options: WaitOptions = {}): Promise<WaitResult> {
    checkWait("ReadFence.wait()", options);
    return waitResult(this.isSignaled() || (await this.#agent.wait(this.#awaited(), options)));
  }

  waitSync(options: { readonly timeout?: number } = {}): WaitResult {
    checkWaitSync("ReadFence.waitSync()", options);
    return waitResult(this.isSignaled() || this.#agent.waitSync(this.#awaited(), options.timeout));
  }

  async result(options: WaitOptions = {}): Promise<void> {
    checkWait("ReadFence.result()", options);
    succeed(this, await this.wait(options), options.timeout, this.#agent);
  }

  resultSync(options: { readonly timeout?: number } = {}): void {
    checkWaitSync("ReadFence.resultSync()", options);
    succeed(this, this.waitSync(options), options.timeout, this.#agent);
  }

  #awaited(): PendingKey {
    return new PendingKey(this.#agent, this.#key);
  }
}

/**
 * The fence that was sent, to be read.
 *
 * @throws {DmaBufError} `EINVAL` if it is of another domain, or no handle; `EOPNOTSUPP` if it is not a plain one.
 */
export function readFence(agent: Agent, handle: FenceHandle): ReadFence {
  checkFenceHandle(agent, handle);
  if (handle.form !== "plain") {
    throw new DmaBufError(
      "EOPNOTSUPP",
      `Cannot import the fence: only plain ones can be read here, no "${handle.form}"`,
    );
  }
  checkPlain(agent, handle);
  return new KeyFence(agent, handle);
}
