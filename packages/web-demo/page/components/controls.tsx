import { handOver, isPlaying, pace, setHandOver, setPace, setPlaying } from "../state/session.js";
import { Choice } from "./choice.js";

/** Play, how fast, and how frames are handed over. */
export function Controls() {
  return (
    <div class="controls card" role="toolbar" aria-label="Playing">
      <button
        type="button"
        class="button strong play"
        data-mark="play"
        onClick={() => setPlaying(!isPlaying.value)}
        aria-keyshortcuts="p"
      >
        <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true" fill="currentColor">
          <path d={isPlaying.value ? "M3 2h4v12H3zM9 2h4v12H9z" : "M3 1.5v13l11-6.5z"} />
        </svg>
        {isPlaying.value ? "Pause" : "Play"}
      </button>
      <Choice
        label="Frames are handed over by"
        value={handOver.value}
        options={[
          { value: "shared", text: "shared memory" },
          { value: "copies", text: "postMessage instead" },
        ]}
        onChoose={setHandOver}
      />
      <Choice
        label="Speed"
        value={pace.value}
        options={[
          { value: "recorded", text: "as recorded" },
          { value: "fast", text: "as fast as it goes" },
        ]}
        onChoose={setPace}
      />
    </div>
  );
}
