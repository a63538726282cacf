import { isHeard, setHeard, sound, soundState, startSound, stopSound, tone } from "../state/sound.js";
import { Kill, LastDeath } from "./kill.js";
import { TroubleNotice } from "./trouble.js";

/** How loud a tone is, in an AudioWorklet that plays it from shared memory. */
export function SoundLane() {
  const state = soundState.value;
  const { levels, rate, underruns, hasEnded } = sound.value;
  return (
    <section class={`card lane ${state}`} aria-labelledby="sound-title" data-lane="sound" data-state={state}>
      <div class="bar">
        <h2 id="sound-title">Sound</h2>
        {state === "none" ? (
          <button type="button" class="button" data-mark="start-sound" onClick={startSound}>
            Start the tone
          </button>
        ) : (
          <span class="bar">
            <Kill member={tone} what="tone" />
            <button
              type="button"
              class="button"
              data-mark="stop-sound"
              disabled={state !== "running"}
              onClick={() => void stopSound()}
            >
              Stop
            </button>
          </span>
        )}
      </div>
      <div class="lane-body levels">
        {levels.map((level, channel) => (
          <meter key={channel} min={0} max={0.5} value={level} aria-label={`Level of channel ${channel + 1}`}>
            {level.toFixed(2)}
          </meter>
        ))}
        <label class="small check">
          <input
            type="checkbox"
            checked={isHeard.value}
            onChange={({ currentTarget }) => setHeard(currentTarget.checked)}
          />
          Hear it, softly
        </label>
      </div>
      <dl class="numbers number">
        <div>
          <dt>Quanta/s</dt>
          <dd data-mark="rate">{rate.toFixed(0)}</dd>
        </div>
        <div>
          <dt>Gaps</dt>
          <dd data-mark="underruns">{underruns.toLocaleString("en")}</dd>
        </div>
      </dl>
      <p class="small quiet">
        {state === "none"
          ? "Browsers play nothing before a click."
          : "AudioWorklet, 128 samples at a time: it never waits, and copies each frame once, into its output."}
        {hasEnded && <span class="bad"> Its stream has ended.</span>}
      </p>
      <LastDeath member={tone} />
      <TroubleNotice place="sound" />
    </section>
  );
}
