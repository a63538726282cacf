import type { Policy } from "../shared/messages.js";
import { delay, policy, policyViews, POLICIES, setDelay, tryPolicy, type PolicyView } from "../state/slow.js";
import { msText, rateText } from "./text.js";
import { TroubleNotice } from "./trouble.js";

const ABOUT: Readonly<Record<Policy, string>> = {
  block: "It gets every frame, and the producer waits for it: everyone is as slow as it is.",
  "drop-oldest": "It loses the oldest frames of the ring. The others do not notice it.",
  newest: "It always gets the newest frame, and misses all between. What it has is never old.",
};

/** One lane that is too slow, under each policy. */
export function SlowLane() {
  const current = policy.value;
  return (
    <section class="block" aria-labelledby="slow-title" data-mark="slow">
      <div class="bar">
        <h2 id="slow-title">A slow consumer</h2>
        <label class="slider small">
          <span>
            keeps each frame for <output class="number">{delay.value} ms</output>
          </span>
          <input
            type="range"
            min={50}
            max={500}
            step={50}
            value={delay.value}
            onInput={({ currentTarget }) => setDelay(Number(currentTarget.value))}
          />
        </label>
      </div>
      <div class="policies">
        {POLICIES.map((each) => (
          <PolicyCard key={each} policy={each} isCurrent={each === current} view={policyViews.value[each]} />
        ))}
      </div>
      <TroubleNotice place="slow" />
    </section>
  );
}

function PolicyCard({
  policy: each,
  isCurrent,
  view,
}: {
  policy: Policy;
  isCurrent: boolean;
  view: PolicyView | undefined;
}) {
  return (
    <section class={isCurrent ? "card policy current" : "card policy"} aria-label={`Policy ${each}`} data-policy={each}>
      <div class="bar">
        <h3>
          <code>{each}</code>
        </h3>
        <button
          type="button"
          class="button"
          aria-pressed={isCurrent}
          onClick={() => tryPolicy(isCurrent ? undefined : each)}
        >
          {isCurrent ? "Stop" : "Try"}
        </button>
      </div>
      <p class="small quiet">{ABOUT[each]}</p>
      <dl class="numbers number">
        <Measure name="Source" value={view && `${rateText(view.made)}/s`} />
        <Measure name="Slow lane" value={view && `${rateText(view.rate)}/s`} />
        <Measure name="Missed" value={view?.missed.toLocaleString("en")} />
        <Measure name="Age" value={view && msText(view.age)} />
      </dl>
      <p class="small quiet">
        {isCurrent ? "In force now." : view === undefined ? "Not tried yet." : "As it was when it was tried."}
      </p>
    </section>
  );
}

function Measure({ name, value = "–" }: { name: string; value: string | undefined }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
