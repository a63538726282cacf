import { Buffer } from "node:buffer";
import { cases, type Exceptions } from "./nonsense.js";
import { inTime, judge } from "./outcome.js";
import type { PublicFunction } from "./surface.js";

/** How the functions of one entry are called. */
export interface Plan<World extends { close(): void }> {
  readonly world: () => World;
  /** The object that a method is called on, or the class or module that has the function. */
  readonly receiver: (fn: PublicFunction, world: World) => Promise<object>;
  /** @returns `undefined` if the plan does not know the function. */
  readonly valid: (fn: PublicFunction, world: World, receiver: object) => readonly unknown[] | undefined;
  readonly exceptions: Exceptions;
  /** Everything that a refused call must leave as it was. */
  readonly state: (world: World) => Uint8Array;
  readonly warnings: () => number;
}

/** Calls a function with each nonsense in turn, and then rightly. @returns What is wrong, one line each. */
export async function tryAll<World extends { close(): void }>(
  fn: PublicFunction,
  plan: Plan<World>,
): Promise<string[]> {
  const wrong: string[] = [];
  const world = plan.world();
  try {
    const receiver = await plan.receiver(fn, world);
    const valid = plan.valid(fn, world, receiver);
    if (valid === undefined) return ["it is not known how to call it rightly: say so in the table"];
    // What was just made may have something to do in the event loop.
    await new Promise((resolve) => setImmediate(resolve));
    let before = plan.state(world);
    for (const tried of cases(fn, valid, plan.exceptions)) {
      const objection = await judge(fn, tried, () => call(fn, receiver, tried.args), plan.warnings);
      if (objection !== undefined) wrong.push(`${tried.name}: ${objection}`);
      const after = plan.state(world);
      if (Buffer.compare(before, after) !== 0) wrong.push(`${tried.name}: has changed something`);
      before = after;
      // Nothing can be said of a world in which something has gone wrong.
      if (objection !== undefined && isTaken(objection)) break;
    }
    if (wrong.length === 0) wrong.push(...(await checkValid(() => call(fn, receiver, valid))));
  } finally {
    world.close();
  }
  return wrong;
}

function isTaken(objection: string): boolean {
  return objection.startsWith("was taken") || objection === "hangs";
}

/** The table is right: with its arguments the function finds nothing wrong with them. */
async function checkValid(run: () => unknown): Promise<string[]> {
  try {
    const result = (await inTime(Promise.resolve(run()))) as Partial<Disposable> | undefined;
    result?.[Symbol.dispose]?.();
    return [];
  } catch (error) {
    return / must (be|have) .*, not /.test(String(error)) ? [`does not take what the table has: ${String(error)}`] : [];
  }
}

export function call({ kind, member }: PublicFunction, receiver: object, args: readonly unknown[]): unknown {
  const owner = receiver as Record<string, (...args: readonly unknown[]) => unknown>;
  if (kind === "constructor") return Reflect.construct(receiver as new () => object, [...args]);
  if (kind === "setter") return Reflect.set(receiver, member, args[0]);
  return owner[member]!(...args);
}
