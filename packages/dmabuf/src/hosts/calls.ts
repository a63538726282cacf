import { DmaBufError } from "../errors.js";
import type { JsonValue } from "../stream/metadata.js";

/** What one of a host's member processes asks of the host's agent. */
export interface Calls {
  /** @throws {DmaBufError} What it fails with; `ESRCH` if the agent is gone. The signal's reason if it aborts. */
  call(name: string, body: JsonValue, signal?: AbortSignal): Promise<JsonValue>;
}

/** Does what was asked, until the signal aborts: then there is no one to give it to. */
export type Answer = (body: JsonValue, signal: AbortSignal) => JsonValue | Promise<JsonValue>;

/** The agent's own calls, and those that came from other processes: each is done here. */
export class AgentCalls implements Calls {
  readonly #answers = new Map<string, Answer>();

  serve(name: string, answer: Answer): void {
    this.#answers.set(name, answer);
  }

  async call(name: string, body: JsonValue, signal: AbortSignal = new AbortController().signal): Promise<JsonValue> {
    const answer = this.#answers.get(name);
    if (answer === undefined) throw new DmaBufError("ENOSYS", `A host's agent has no call "${name.slice(0, 40)}"`);
    signal.throwIfAborted();
    return answer(body, signal);
  }
}
