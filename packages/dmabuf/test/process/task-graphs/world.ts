import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once, type EventEmitter } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { Fence, type BufferHandle, type DmaBuf, type HandleMode, type UserFence } from "../../../src/index.js";
import { ProcessDomain } from "../../../src/node/index.js";
import { until } from "../../agents.js";
import {
  BUFFERS,
  buffersOf,
  conflict,
  logIn,
  sequential,
  tasksBefore,
  type Log,
  type Outcome,
  type Task,
  type Use,
} from "./graph.js";
import {
  PATIENCE,
  TaskQueue,
  wordsOf,
  type Fault,
  type TaskDone,
  type TaskOrder,
  type TaskReport,
  type TaskSubmitted,
} from "./task-queue.js";

const PARTY = new URL("party.js", import.meta.url);

/** A domain with agents that run the tasks of one graph after another; those that have died are replaced before the next. */
export class World implements AsyncDisposable {
  readonly #domain: ProcessDomain;
  readonly #own: TaskQueue;
  readonly #lines: (Line | undefined)[];
  /** What tasks of the present graph have said. */
  readonly #done = new Map<number, TaskDone>();
  readonly #evictions: Promise<void>[] = [];
  /** What the validator has said, in all agents. */
  readonly #reports: string[] = [];

  /** @param lines How many agents besides this one: by turns processes and workers. */
  constructor(lines: number, isValidated = false) {
    const validate = isValidated && { onReport: (report: Error) => this.#hear({ report: String(report) }) };
    this.#domain = ProcessDomain.create({ agents: 12, name: "here", validate });
    this.#own = new TaskQueue(this.#domain, (done) => this.#hear(done), neverDies);
    this.#lines = Array.from({ length: lines }, () => undefined);
  }

  /** @throws {Error} Unless the run ends, and equals the sequential one. The world is of no use then. */
  async run(graph: readonly Task[], fault?: Fault): Promise<void> {
    const limit = new AbortController();
    const tooLong = pause(PATIENCE, undefined, { signal: limit.signal }).then(() => assert.fail("the graph hangs"));
    try {
      await Promise.race([this.#run(graph, fault), tooLong]);
    } finally {
      limit.abort();
      tooLong.catch(() => {});
    }
  }

  async #run(graph: readonly Task[], fault: Fault | undefined): Promise<void> {
    const lines = await Promise.all(
      this.#lines.map(async (line, i) => (line?.isAlive === true ? line : this.#start(i))),
    );
    this.#lines.splice(0, lines.length, ...lines);
    this.#done.clear();
    const buffers = Array.from({ length: BUFFERS }, (_, i) => this.#domain.allocate(4096, { name: `buffer ${i}` }));
    try {
      const ends = await this.#submitAll(graph, lines, buffers, fault);
      const outcomes = await Promise.all(
        ends.map((end, id) => outcomeOf(end, id, () => this.#done.has(id) || lines[graph[id]!.line]!.isAlive)),
      );
      for (const end of ends) if (end !== undefined && !(end instanceof Fence)) end.close();
      await Promise.all(this.#evictions.splice(0));
      const logs = await Promise.all(buffers.map(readLog));
      assert.deepEqual(
        logs,
        sequential(graph, outcomes, logs),
        "the buffers are not as the sequential run leaves them",
      );
      const isSilent = (id: number): boolean => outcomes[id] === "failed" || !lines[graph[id]!.line]!.isAlive;
      await until(() => graph.every((_, id) => this.#done.has(id) || isSilent(id)));
      this.#checkOrder(graph);
      assert.deepEqual(this.#reports, [], "the validator has found a mistake");
    } finally {
      for (const buffer of buffers) buffer.close();
    }
    await Promise.all(lines.filter(({ isAlive }) => !isAlive).map(({ ended }) => ended));
    await until(() => this.#domain.statistics().length === 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const line of this.#lines) line?.kill();
    for (const line of this.#lines) await line?.ended;
    this.#own.close();
    this.#domain.close();
  }

  /** In the order of their numbers, each when the one before it has been submitted. */
  async #submitAll(
    graph: readonly Task[],
    lines: readonly Line[],
    buffers: readonly DmaBuf[],
    fault: Fault | undefined,
  ): Promise<End[]> {
    const ends: End[] = [];
    for (const [id, task] of graph.entries()) {
      const { isLong = false, lasts, dies, evicts } = task;
      const line = lines[task.line]!;
      const besides = new Set(tasksBefore(task, id));
      const before = ends.filter((end, other) => besides.has(other) || (isUser(end) && conflict(graph[other]!, task)));
      // No other work obeys long-running work by itself.
      if (!isLong) for (const end of before) if (isUser(end)) await end.wait();
      const after = before.flatMap((end) => (isUser(end) && !isLong ? [] : (end?.handle() ?? [])));
      const handles = (use: Use, mode: HandleMode): BufferHandle[] =>
        buffersOf(task, use).map((buffer) => buffers[buffer]!.handle(mode));
      const [reads, writes] = [handles("read", "read"), handles("write", "read-write")];
      const order = { id, isLong, reads, writes, after, lasts, fault };
      const submitted = await (line.isAlive ? line.submit({ ...order, dies }) : this.#own.submit(order));
      const end = submitted && this.#domain.import(submitted.fence);
      ends.push(end);
      for (const handle of [...reads, ...writes]) handle.close();
      // A user fence does not end with its agent.
      if (isUser(end) && line.isAlive) void line.ended.then(() => end.isClosed || end.signal());
      if (evicts !== undefined) this.#evictions.push(buffers[evicts]!.evict({ timeout: PATIENCE }));
      if (dies === "outside") line.kill();
    }
    return ends;
  }

  /** No task has begun before those that it waits for had ended, as far as they could say so. */
  #checkOrder(graph: readonly Task[]): void {
    for (const [id, task] of graph.entries()) {
      for (const before of tasksBefore(task, id)) {
        const [first, second] = [this.#done.get(before), this.#done.get(id)];
        if (first === undefined || second === undefined) continue;
        assert.ok(first.ended <= second.began, `task ${id} has not waited for task ${before}`);
      }
    }
  }

  #hear(said: TaskDone | TaskReport): void {
    if ("done" in said) this.#done.set(said.done, said);
    else this.#reports.push(said.report);
  }

  #start(at: number): Promise<Line> {
    const hear = (said: TaskDone | TaskReport): void => this.#hear(said);
    return at % 2 === 0 ? startProcess(this.#domain, hear) : startWorker(this.#domain, hear);
  }
}

type Hear = (said: TaskDone | TaskReport) => void;

/** Whether it is no answer to an order. */
function isOfTasks(said: object): said is TaskDone | TaskReport {
  return "done" in said || "report" in said;
}

/** An agent that runs tasks, in another process or in a worker of this one. It may die at any moment. */
class Line {
  readonly ended: Promise<unknown>;
  readonly kill: () => void;
  readonly #tell: (order: TaskOrder) => void;
  readonly #mouth: EventEmitter;
  #isAlive = true;

  constructor(mouth: EventEmitter, kill: () => void, tell: (order: TaskOrder) => void, hear: Hear) {
    this.#mouth = mouth;
    this.#tell = tell;
    this.kill = () => {
      this.#isAlive = false;
      kill();
    };
    this.ended = once(mouth, "exit").then(() => (this.#isAlive = false));
    mouth.on("message", (said: TaskDone | TaskReport | TaskSubmitted) => void (isOfTasks(said) && hear(said)));
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** @returns Nothing if the agent has died: whether the task was submitted is unknown then. */
  async submit(order: TaskOrder): Promise<TaskSubmitted | undefined> {
    const answer = new Promise<TaskSubmitted>((resolve, reject) => {
      const heard = (said: TaskDone | TaskReport | TaskSubmitted | { readonly refused: string }): void => {
        if (isOfTasks(said)) return;
        this.#mouth.off("message", heard);
        if ("refused" in said) reject(new Error(said.refused));
        else resolve(said);
      };
      this.#mouth.on("message", heard);
    });
    this.#tell(order);
    return Promise.race([answer, this.ended.then(() => undefined)]);
  }
}

async function startProcess(domain: ProcessDomain, hear: Hear): Promise<Line> {
  const child: ChildProcess = domain.fork(fileURLToPath(PARTY), [], { serialization: "advanced" });
  await once(child, "message");
  // A message to one that has just died is lost.
  child.on("error", () => {});
  return new Line(
    child,
    () => child.kill("SIGKILL"),
    (order) => void child.send(order, () => {}),
    hear,
  );
}

async function startWorker(domain: ProcessDomain, hear: Hear): Promise<Line> {
  const invitation = domain.invite();
  const worker = new Worker(PARTY, { workerData: invitation, transferList: [invitation.port] });
  await once(worker, "message");
  return new Line(
    worker,
    () => void worker.terminate(),
    (order) => worker.postMessage(order),
    hear,
  );
}

/** How the end of a task is known: nothing if its agent has died before it said so. */
type End = Fence | UserFence | undefined;

function isUser(end: End): end is UserFence {
  return end !== undefined && !(end instanceof Fence);
}

/** @param isDone Whether a long-running task has done its work, when its end was signaled. */
async function outcomeOf(end: End, id: number, isDone: () => boolean): Promise<Outcome> {
  if (end === undefined) return "failed";
  await end.wait();
  if (isUser(end)) return isDone() ? "done" : "failed";
  if (end.error === undefined) return "done";
  assert.equal(end.error.code, "ESRCH", `task ${id} has failed`);
  return "failed";
}

async function readLog(buffer: DmaBuf): Promise<Log> {
  using access = await buffer.access("read");
  return logIn(wordsOf(access.bytes));
}

function neverDies(): never {
  throw new Error("This agent runs no task that ends it");
}
