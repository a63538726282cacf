/** What runs in a party's own thread or process once it has joined: it does what it is asked. */
import { DmaBufError, type JoinedDomain, type PlainError } from "../../../src/index.js";
import { openScene, type CreateMemory, type Kept, type Scene } from "./scene.js";
import * as tasks from "./tasks.js";

export type TaskName = keyof typeof tasks;
type Task = (scene: Scene, ...args: never[]) => unknown;
/** What a task takes beside the scene. */
export type TaskArguments<N extends TaskName> =
  Parameters<(typeof tasks)[N]> extends [Scene?, ...infer A extends unknown[]] ? A : never;
export type TaskResult<N extends TaskName> = Awaited<ReturnType<(typeof tasks)[N]>>;

export interface Request {
  readonly id: number;
  readonly name: TaskName;
  readonly args: readonly unknown[];
}

export type Reply =
  | { readonly id: number; readonly state: "begun" }
  | { readonly id: number; readonly state: "done"; readonly result: unknown }
  | { readonly id: number; readonly state: "failed"; readonly error: PlainError | { readonly message: string } };

/** The party's end of the way to the test. */
export interface Desk {
  hear(perform: (request: Request) => void): void;
  reply(reply: Reply): void;
}

/** Does what is asked for, each task as it comes. */
export function serve(domain: JoinedDomain, createMemory: CreateMemory, desk: Desk): void {
  const scene = openScene(domain, createMemory);
  desk.hear((request) => void perform(scene, request, (reply) => desk.reply(reply)));
}

async function perform(scene: Kept, { id, name, args }: Request, reply: (reply: Reply) => void): Promise<void> {
  const begun = (): void => reply({ id, state: "begun" });
  try {
    const task: Task = tasks[name];
    reply({ id, state: "done", result: await task({ ...scene, begun }, ...(args as never[])) });
  } catch (error) {
    reply({ id, state: "failed", error: error instanceof DmaBufError ? error.toPlain() : { message: String(error) } });
  }
}
