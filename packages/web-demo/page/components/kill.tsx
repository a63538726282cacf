import type { Member } from "../state/member.js";
import { framesText, msText } from "./text.js";

/** A worker of whatever role. */
type Killable = Pick<Member, "state" | "lastDeath" | "kill" | "start">;

/** Kills a worker as a crash would, and says what became of it. */
export function Kill({ member, what, keys }: { member: Killable; what: string; keys?: string }) {
  const state = member.state.value;
  if (state === "failed") {
    return (
      <button type="button" class="button" data-mark="restart" onClick={() => void member.start()}>
        Start again
      </button>
    );
  }
  const text = state === "killed" ? "Killed" : state === "running" ? "Kill" : "Starting";
  return (
    <button
      type="button"
      class="button kill"
      data-mark="kill"
      disabled={state !== "running"}
      aria-label={`${text}${state === "running" ? "" : ":"} the worker of the ${what}`}
      aria-keyshortcuts={keys}
      onClick={() => member.kill()}
    >
      {text}
    </button>
  );
}

/** How the last death went. */
export function LastDeath({ member }: { member: Killable }) {
  const death = member.lastDeath.value;
  const state = member.state.value;
  return (
    <p class="small death" role="status" data-mark="death">
      {state === "killed" && <span class="bad">Killed. Its end is not noticed yet.</span>}
      {state !== "killed" && death !== undefined && (
        <span class="good number">{deathText(death.held, death.after)}</span>
      )}
    </p>
  );
}

function deathText(held: number, after: number): string {
  if (held === 0) return `It was gone after ${msText(after)} and held no frame. A new one has joined.`;
  const came = held === 1 ? "its frame came back" : `its ${framesText(held)} came back`;
  return `Killed: ${came} after ${msText(after)}. A new one has joined.`;
}
