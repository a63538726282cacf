import { sentence } from "../shared/messages.js";
import { canIsolate, isIsolating, isolate } from "../state/isolation.js";
import { able, isPossible } from "../state/world.js";
import { TroubleNotice } from "./trouble.js";

/** What to do where the page is not isolated: without shared memory nothing here can live. */
export function Isolation() {
  if (isPossible) return null;
  const { isolated, sharedMemory } = able;
  const { reason, remedy } = isolated.has ? sharedMemory : isolated;
  return (
    <section class="card" aria-labelledby="isolation-title" data-mark="isolation">
      <h2 id="isolation-title">What this page needs</h2>
      <p>
        <strong>{sentence(reason ?? "the page is not cross-origin isolated, so it has no shared memory")}</strong>{" "}
        {sentence(remedy ?? "")}
      </p>
      {canIsolate && (
        <p>
          <button type="button" class="button strong" disabled={isIsolating.value} onClick={() => void isolate()}>
            {isIsolating.value ? "Isolating …" : "Isolate it by a service worker"}
          </button>{" "}
          <span class="quiet">It adds the headers that this host does not send, and loads the page again.</span>
        </p>
      )}
      <TroubleNotice place="isolation" />
    </section>
  );
}
