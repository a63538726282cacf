/** What runs in the worker thread of a `Party`: joins its domain and does what it is asked. */
import { parentPort, workerData } from "node:worker_threads";
import { DmaBufError, Domain, type Invitation, type PlainError } from "../../src/index.js";
import { openScene, type Scene } from "./party-scene.js";
import * as tasks from "./party-tasks.js";

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

const scene = openScene(Domain.join(workerData as Invitation));
parentPort!.on("message", (request: Request) => void perform(request));

async function perform({ id, name, args }: Request): Promise<void> {
  const begun = (): void => reply({ id, state: "begun" });
  try {
    const task: Task = tasks[name];
    reply({ id, state: "done", result: await task({ ...scene, begun }, ...(args as never[])) });
  } catch (error) {
    reply({ id, state: "failed", error: error instanceof DmaBufError ? error.toPlain() : { message: String(error) } });
  }
}

function reply(message: Reply): void {
  parentPort!.postMessage(message);
}
