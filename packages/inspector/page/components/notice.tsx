import { useState } from "preact/hooks";
import { waitForAnother } from "../store/client.js";
import { domainState, isPaused, link, shown } from "../store/store.js";

/** What a person must know before what the view shows can be believed: that it is no longer so. */
export function Notice() {
  const state = domainState.value;
  if (link.value === "lost") {
    return (
      <Box kind="bad" title="The inspector no longer answers">
        Its program has ended, or this machine sleeps. The page connects again by itself if it comes back at the same
        address; {shown.value === undefined ? "there is nothing to show" : "what is shown is the last that it said"}.
      </Box>
    );
  }
  if (state?.kind === "ended") {
    return (
      <Box kind="bad" title="The domain is lost">
        {sentence(state.reason ?? "it has ended")}{" "}
        {isPaused.value ? "The page is paused before that." : "What is shown is its last state."}{" "}
        {state.canWait && <WaitButton />}
      </Box>
    );
  }
  if (state?.kind === "waiting") {
    return (
      <Box kind="warn" title={`Waiting for a domain at ${state.where}`}>
        The page shows it as soon as it is there. {state.reason !== undefined && sentence(state.reason)}
      </Box>
    );
  }
  return null;
}

/** A reason, which begins with a small letter and has no full stop. */
function sentence(reason: string): string {
  return `${reason.slice(0, 1).toUpperCase()}${reason.slice(1)}.`;
}

function Box({ kind, title, children }: { kind: string; title: string; children: preact.ComponentChildren }) {
  return (
    <section class={`notice ${kind}`} role="alert">
      <h2>{title}</h2>
      <div>{children}</div>
    </section>
  );
}

function WaitButton() {
  const [refused, setRefused] = useState("");
  const ask = (): void => {
    waitForAnother().catch((error: Error) => setRefused(error.message));
  };
  return (
    <>
      <button type="button" class="button" onClick={ask}>
        Wait for the next one there
      </button>
      {refused}
    </>
  );
}
