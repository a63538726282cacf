import type { ComponentChildren } from "preact";
import type { LaneRole } from "../shared/messages.js";
import { lanes, type LaneView } from "../state/lanes.js";
import { members } from "../state/session.js";
import { Kill, LastDeath } from "./kill.js";
import { rateText, msText } from "./text.js";
import { TroubleNotice } from "./trouble.js";

interface LaneProps {
  readonly role: LaneRole;
  readonly title: string;
  readonly keys: string;
  readonly children: ComponentChildren;
}

/** One worker that looks at the pictures: what it makes of them, how fast, and its end. */
export function Lane({ role, title, keys, children }: LaneProps) {
  const member = members[role];
  const lane = lanes[role].value;
  const state = member.state.value;
  return (
    <section class={`card lane ${state}`} aria-labelledby={`${role}-title`} data-lane={role} data-state={state}>
      <div class="bar">
        <h2 id={`${role}-title`}>{title}</h2>
        <Kill member={member} what={title.toLowerCase()} keys={keys} />
      </div>
      <div class="lane-body">{children}</div>
      <Numbers lane={lane} />
      <p class="small quiet" data-mark="how">
        {lane.how}
        {lane.missing !== undefined && <span class="warn"> {lane.missing}</span>}
      </p>
      {lane.ended === "ESRCH" && (
        <p class="small bad" role="status" data-mark="ended">
          ESRCH: the producer of its stream has died. The next stream takes over.
        </p>
      )}
      <LastDeath member={member} />
      <TroubleNotice place={role} />
    </section>
  );
}

function Numbers({ lane }: { lane: LaneView }) {
  return (
    <dl class="numbers number">
      <div>
        <dt>Frames/s</dt>
        <dd data-mark="rate">{rateText(lane.rate)}</dd>
      </div>
      <div>
        <dt>Missed</dt>
        <dd data-mark="missed">{lane.missed.toLocaleString("en")}</dd>
      </div>
      <div>
        <dt>Age</dt>
        <dd data-mark="age">{msText(lane.age)}</dd>
      </div>
      <div>
        <dt>Work</dt>
        <dd data-mark="work">{msText(lane.work)}</dd>
      </div>
    </dl>
  );
}
