import type { Passage, Thing } from "../domain/validation.js";
import { isLater } from "../domain/promised.js";
import { createScope } from "../host/scope.js";
import type { Check, Checker } from "./check.js";

/**
 * The locking convention of exporters' operations (exporter.ts says which of them run with the lock).
 *
 * exporter-check.1. An operation that runs with the lock asks for it neither at once nor later: it would wait for itself.
 * exporter-check.2. An operation that runs without the lock, and takes it, opens it before it has ended.
 * exporter-check.3. An operation that runs for a use of the buffer, or with the lock, begins no access to the buffer.
 */
export class ExporterCheck implements Check {
  readonly #validator: Checker;
  readonly #running = createScope<Operation>();
  readonly #locks = new WeakMap<object, Operation>();

  constructor(validator: Checker) {
    this.#validator = validator;
  }

  /** Operations that do the same, looked at. */
  checked<Ops extends object>(ops: Ops, bufferSlot: number): Ops {
    const checked = Object.entries(ops).map(([name, run]: [string, unknown]) => [
      name,
      typeof run === "function" ? this.#checked(ops, name, run as Run, bufferSlot) : run,
    ]);
    return Object.fromEntries(checked) as Ops;
  }

  waits(thing: Thing): Passage | undefined {
    const operation = this.#operationOn(thing);
    if (operation === undefined) return undefined;
    if (thing.kind !== "lock") this.#usesOwn(operation);
    else if (LOCKED.has(operation.name))
      this.#report(operation, "asks for the lock of its buffer, which is held while it runs");
    return {
      over: (held) => {
        if (thing.kind === "lock" && held !== undefined) this.#took(operation, held);
      },
    };
  }

  holds(held: object, thing: Thing): void {
    const operation = this.#operationOn(thing);
    if (operation === undefined) return;
    if (thing.kind === "lock") this.#took(operation, held);
    else this.#usesOwn(operation);
  }

  released(held: object): void {
    this.#locks.get(held)?.locks.delete(held);
  }

  #checked(ops: object, name: string, run: Run, bufferSlot: number): Run {
    return (...given) => {
      const operation: Operation = { name, bufferSlot, locks: new Set(), isOver: false };
      const end = (): void => this.#ended(operation);
      let answer: unknown;
      try {
        answer = this.#running.run(operation, () => run.apply(ops, given));
      } catch (error) {
        end();
        throw error;
      }
      if (!isLater(answer)) end();
      else void answer.then(end, end);
      return answer;
    };
  }

  #operationOn(thing: Thing): Operation | undefined {
    const operation = this.#running.getStore();
    if (operation === undefined || operation.isOver || thing.kind === "fence") return undefined;
    return thing.slot === operation.bufferSlot ? operation : undefined;
  }

  #took(operation: Operation, lock: object): void {
    operation.locks.add(lock);
    this.#locks.set(lock, operation);
  }

  #usesOwn(operation: Operation): void {
    if (OF_USE.has(operation.name)) this.#report(operation, "begins an access to its own buffer, for which it runs");
  }

  #ended(operation: Operation): void {
    operation.isOver = true;
    if (operation.locks.size > 0) this.#report(operation, "leaves its buffer locked");
  }

  #report({ name }: Operation, what: string): void {
    this.#validator.report("exporter-lock", `The operation "${name}" of an exporter ${what}`);
  }
}

type Run = (...given: unknown[]) => unknown;

/** One that runs. */
interface Operation {
  readonly name: string;
  readonly bufferSlot: number;
  /** Those of its buffer that it has taken, and not opened. */
  readonly locks: Set<object>;
  isOver: boolean;
}

const LOCKED = new Set(["map", "unmap", "pin", "unpin", "vmap", "vunmap"]);
/** exporter-check.3. */
const OF_USE = new Set([...LOCKED, "beginCpuAccess", "endCpuAccess"]);
