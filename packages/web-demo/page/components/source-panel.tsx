import { useCamera } from "../state/camera.js";
import { recordState, replay } from "../state/record.js";
import { choice, choose, feed, source } from "../state/session.js";
import { Kill, LastDeath } from "./kill.js";
import { TroubleNotice } from "./trouble.js";

/** Where the pictures come from, and the worker that makes them. */
export function SourcePanel() {
  const { kind } = choice.value;
  return (
    <section class="card source" aria-labelledby="source-title" data-lane="source" data-state={source.state.value}>
      <div class="bar">
        <h2 id="source-title">Source</h2>
        <Kill member={source} what="decoder" keys="0" />
      </div>
      <p class="small quiet" data-mark="about">
        {feed.value?.about.text ?? "Nothing yet: play."}
      </p>
      <div class="choices" role="group" aria-label="Source">
        <button type="button" class="button" aria-pressed={kind === "clip"} onClick={() => choose({ kind: "clip" })}>
          Clip
        </button>
        <button
          type="button"
          class="button"
          aria-pressed={kind === "pattern"}
          onClick={() => choose({ kind: "pattern" })}
        >
          Test pattern
        </button>
        <label class={kind === "file" ? "button chosen" : "button"}>
          File …
          <input
            class="unseen"
            type="file"
            accept="video/*,image/*"
            aria-label="Choose a video or a picture"
            onChange={({ currentTarget }) => {
              const file = currentTarget.files?.[0];
              if (file !== undefined) choose({ kind: "file", file });
              currentTarget.value = "";
            }}
          />
        </label>
        <button type="button" class="button" aria-pressed={kind === "camera"} onClick={() => void useCamera()}>
          Camera
        </button>
        {recordState.value === "recorded" && (
          <button type="button" class="button" aria-pressed={kind === "recording"} onClick={replay}>
            Recording
          </button>
        )}
      </div>
      <p class="small quiet">A file may also be dropped anywhere on this page.</p>
      <LastDeath member={source} />
      <TroubleNotice place="source" />
      <TroubleNotice place="camera" />
    </section>
  );
}
