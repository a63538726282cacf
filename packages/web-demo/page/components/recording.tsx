import { record, recording, recordState, replay, SECONDS } from "../state/record.js";
import { bytesText, framesText } from "./text.js";
import { TroubleNotice } from "./trouble.js";

/** Some seconds of the pictures, to a file of this page's own and back. */
export function Recording() {
  const state = recordState.value;
  const last = recording.value;
  return (
    <section class="card" aria-labelledby="record-title" data-mark="record" data-state={state}>
      <div class="bar">
        <h2 id="record-title">Record</h2>
        <span class="bar">
          <button
            type="button"
            class="button"
            data-mark="record-start"
            aria-keyshortcuts="r"
            disabled={state === "recording"}
            onClick={record}
          >
            {state === "recording" ? "Recording …" : `Record ${SECONDS} s`}
          </button>
          <button type="button" class="button" data-mark="replay" disabled={state !== "recorded"} onClick={replay}>
            Replay
          </button>
        </span>
      </div>
      <p class="small quiet" role="status" data-mark="recorded">
        {last === undefined
          ? "A worker writes the frames to the disk from where they lie, and reads them back into frames: nothing is copied in between."
          : `Recorded: ${last.frames === undefined ? "less than was wanted" : framesText(last.frames)}, ${bytesText(last.bytes)}.`}
      </p>
      <TroubleNotice place="record" />
    </section>
  );
}
