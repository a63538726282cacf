import type { BufferHandleData, PlainReport } from "../../src/index.js";
import type { Case } from "./case.js";
import type { Answer, Failure, Version } from "./messages.js";
import type { Line, Opened } from "./places.js";

type Kind = Answer["answer"];
type Of<K extends Kind> = Extract<Answer, { readonly answer: K }>;

/** An agent of a program: a thread or process that plays one part after the other. */
export class Player {
  readonly #line: Line;
  #waiting: { readonly kinds: readonly Kind[]; readonly resolve: (answer: Answer) => void }[] = [];
  #isAsked = false;
  #said: (cue: string, value: unknown) => void = () => {};
  /** What it has reported, as far as is known. */
  reports: readonly PlainReport[] = [];
  /** How its part failed. */
  failure: Failure | undefined;
  hasEnded = false;

  constructor(line: Line) {
    this.#line = line;
    line.hear((answer) => this.#hear(answer));
  }

  /** @param said Called when it has told something to all. */
  async join({ invite }: Opened, name: string, said: (cue: string, value: unknown) => void): Promise<void> {
    this.#said = said;
    this.reports = [];
    this.failure = undefined;
    this.hasEnded = false;
    const { way, transfer } = invite(name);
    const joined = this.#next("joined");
    this.#line.tell({ order: "join", way, name }, transfer);
    await joined;
  }

  async play({ id }: Case, version: Version, part: string, buffers: readonly BufferHandleData[]): Promise<void> {
    const end = this.#next("ended", "failed");
    this.#line.tell({ order: "play", id, version, part, buffers });
    const answer = await end;
    if (answer.answer === "failed") this.failure = answer.error;
    this.hasEnded = true;
  }

  tell(cue: string, value: unknown): void {
    this.#line.tell({ order: "cue", cue, value });
  }

  /** Asks for its reports. One that is blocked answers later. */
  look(): void {
    if (this.#isAsked) return;
    this.#isAsked = true;
    void this.#next("reports").then(() => (this.#isAsked = false));
    this.#line.tell({ order: "report" });
  }

  /** @returns Whether it has left the domain before `limit` milliseconds have passed, and can be used again. */
  async leave(limit: number): Promise<boolean> {
    const left = this.#next("left").then(() => true);
    this.#line.tell({ order: "leave" });
    return Promise.race([left, new Promise<boolean>((resolve) => setTimeout(resolve, limit, false))]);
  }

  end(): Promise<void> {
    return this.#line.end();
  }

  #next<K extends Kind>(...kinds: K[]): Promise<Of<K>> {
    return new Promise((resolve) => this.#waiting.push({ kinds, resolve: resolve as (answer: Answer) => void }));
  }

  #hear(answer: Answer): void {
    if (answer.answer === "said") return this.#said(answer.cue, answer.value);
    if ("reports" in answer) this.reports = answer.reports;
    const heard = this.#waiting.filter(({ kinds }) => kinds.includes(answer.answer));
    this.#waiting = this.#waiting.filter((one) => !heard.includes(one));
    for (const { resolve } of heard) resolve(answer);
  }
}
