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
  /** What an object leads to that is none of a program's business, one line each. */
  readonly leadsTo: (object: unknown) => string[];
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
    if (wrong.length === 0) wrong.push(...(await checkValid(() => call(fn, receiver, valid), plan.leadsTo)));
    wrong.push(...plan.leadsTo(receiver));
  } finally {
    world.close();
  }
  return wrong;
}

/**
 * Calls a function with things of another domain among its own. @returns What is wrong: each is to be refused, and neither
 * domain to be changed.
 *
 * @param taken Arguments, as `Fence.isLater() other`, that may be of any domain.
 */
export async function tryForeign<World extends { close(): void }>(
  fn: PublicFunction,
  plan: Plan<World>,
  taken: ReadonlySet<string>,
): Promise<string[]> {
  const wrong: string[] = [];
  const [world, other] = [plan.world(), plan.world()];
  try {
    const [receiver, foreign] = [await plan.receiver(fn, world), await plan.receiver(fn, other)];
    const valid = plan.valid(fn, world, receiver) ?? [];
    const others = plan.valid(fn, other, foreign) ?? [];
    for (const [i, { name: argument }] of fn.parameters.entries()) {
      if (!isOfDomain(others[i]) || taken.has(`${fn.id} ${argument}`)) continue;
      const before = [world, other].map(plan.state);
      const args = Object.assign([...valid], { [i]: others[i] });
      const tried = { name: argument, argument: "", field: "", args };
      const objection = await judge(fn, tried, () => call(fn, receiver, args), plan.warnings);
      if (objection !== undefined) wrong.push(`${argument} of another domain: ${objection}`);
      const after = [world, other].map(plan.state);
      if (after.some((state, w) => Buffer.compare(state, before[w]!) !== 0))
        wrong.push(`${argument} has changed something`);
    }
  } finally {
    world.close();
    other.close();
  }
  return wrong;
}

/** Whether something belongs to a domain: an object of a class, a handle to one, or a list that has some. */
function isOfDomain(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.some(isOfDomain);
  return Object.getPrototypeOf(value) !== Object.prototype || "domain" in value || "syncobj" in value;
}

function isTaken(objection: string): boolean {
  return objection.startsWith("was taken") || objection === "hangs";
}

/** The table is right: the function finds nothing wrong with its arguments. And what it gives has nothing inner in it. */
async function checkValid(run: () => unknown, leadsTo: (object: unknown) => string[]): Promise<string[]> {
  try {
    const result = (await inTime(Promise.resolve(run()))) as Partial<Disposable> | undefined;
    const inner = leadsTo(result);
    result?.[Symbol.dispose]?.();
    return inner;
  } catch (error) {
    return / must (be|have) .*, not /.test(String(error)) ? [`does not take what the table has: ${String(error)}`] : [];
  }
}

function call({ kind, member }: PublicFunction, receiver: object, args: readonly unknown[]): unknown {
  const owner = receiver as Record<string, (...args: readonly unknown[]) => unknown>;
  if (kind === "constructor") return Reflect.construct(receiver as new () => object, [...args]);
  if (kind === "setter") return Reflect.set(receiver, member, args[0]);
  return owner[member]!(...args);
}
