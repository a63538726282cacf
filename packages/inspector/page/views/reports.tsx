import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { TracedReport } from "../../src/shared/messages.js";
import { AgentName } from "../components/names.js";
import { count, durationText } from "../format.js";
import { askAgain } from "../store/ask-again.js";
import { reportsSince } from "../store/client.js";
import { agents, shown } from "../store/store.js";

/** Milliseconds. */
const EACH = 2000;

interface Known {
  readonly domain: string;
  readonly traced: number;
  /** What is later has not been asked for. */
  readonly at: number;
  readonly reports: readonly TracedReport[];
}

const known = signal<Known | undefined>();
const refused = signal("");

/** What the validator has said in the agents of the domain, as far as these trace. */
export function Reports() {
  useEffect(follow, []);
  const snapshot = shown.value;
  if (refused.value !== "") return <p class="empty">{refused.value}</p>;
  if (known.value === undefined || snapshot === undefined)
    return <p class="empty">The agents' traces are being read.</p>;
  const { traced, reports, domain } = known.value;
  // While the page is paused, what came later is not shown.
  const then = domain === snapshot.domain ? reports.filter(({ at }) => at <= snapshot.at) : [];
  return (
    <>
      <p role="status">
        {traced === 0
          ? "No agent of this domain traces."
          : `${count(then.length, "report")}; ${traced === 1 ? "1 agent traces" : `${count(traced, "agent")} trace`}.`}
      </p>
      {then.length > 0 && (
        <ol class="reports" reversed>
          {then.toReversed().map((report) => (
            <Report key={`${report.agent} ${report.at}`} report={report} />
          ))}
        </ol>
      )}
      {(traced === 0 || then.length === 0) && <HowTo />}
    </>
  );
}

function Report({ report: { at, agent, agentName, code, text } }: { report: TracedReport }) {
  const now = shown.value?.at ?? at;
  const [first = "", ...places] = text.split("\n");
  return (
    <li class="card report">
      <p class="bar">
        <strong class="code bad">{code}</strong>
        <span class="small quiet number">{durationText(now - at)} ago</span>
      </p>
      <p>{first.replace(`[${code}] `, "")}</p>
      {places.length > 0 && <pre class="code small">{places.join("\n")}</pre>}
      <p class="small quiet">
        Said by{" "}
        {agents.value.has(agent) ? <AgentName identity={agent} /> : `${agentName || "an agent"}, which has left`}. What{" "}
        {code} means, and what to do, is in docs/validator.md.
      </p>
    </li>
  );
}

function HowTo() {
  return (
    <section class="card" aria-labelledby="how-to">
      <h2 id="how-to">How to get reports</h2>
      <p>
        Start the programs with both variables: the first one has the validator look, and the second one has it noted
        where this page can read it.
      </p>
      <pre class="code">DMABUF_VALIDATE=1 DMABUF_TRACE=1 node program.js</pre>
      <p class="quiet">
        The process that makes the domain decides whether it is validated. It costs time: it is for the desk, not for
        production.
      </p>
    </section>
  );
}

function follow(): () => void {
  return askAgain(async () => {
    const domain = shown.value?.domain;
    if (domain === undefined) return;
    const before = known.value?.domain === domain ? known.value : { at: -1, reports: [] };
    try {
      const { traced, at, reports } = await reportsSince(before.at + 1);
      // What was written while it was read may come twice.
      const fresh = reports.filter(
        (one) => !before.reports.some((each) => each.at === one.at && each.agent === one.agent),
      );
      // What agents write just then is in the next answer.
      known.value = { domain, traced, at: Math.max(0, at - 1e9), reports: [...before.reports, ...fresh] };
      refused.value = "";
    } catch (error) {
      refused.value = (error as Error).message;
    }
  }, EACH);
}
