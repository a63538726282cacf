import { Scene, Skipped, type Case, type SceneOptions } from "./scene.js";
import { Fault } from "./same.js";

export interface Result {
  readonly case: Case;
  readonly outcome: "ok" | "FAILED" | "skipped";
  /** What is wrong, or missing. */
  readonly why?: string;
  readonly milliseconds: number;
}

/** Runs a case with a client of its own. @throws {Error} If the adapter cannot be started. */
export async function runCase(item: Case, options: SceneOptions): Promise<Result> {
  const start = performance.now();
  const result = (outcome: Result["outcome"], why?: string): Result => ({
    case: item,
    outcome,
    ...(why !== undefined && { why }),
    milliseconds: Math.round(performance.now() - start),
  });
  const scene = await Scene.start(options);
  try {
    if (!scene.hello.roles.includes(item.role)) return result("skipped", `the client is no ${item.role}`);
    await item.run(scene);
    await scene.close();
    return result("ok");
  } catch (error) {
    if (error instanceof Skipped) return result("skipped", error.message);
    const why = error instanceof Fault || !(error instanceof Error) ? String((error as Error).message) : inFull(error);
    return result("FAILED", scene.said === "" ? why : `${why}\n${scene.said.trimEnd()}`);
  } finally {
    await scene.end();
  }
}

/** An error that is no fault of the client's, perhaps. */
function inFull(error: Error): string {
  return error.stack ?? error.message;
}
