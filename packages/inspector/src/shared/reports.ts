import type { TraceFile } from "dmabuf/node";
import type { TracedReports } from "./messages.js";

/** What the validator has said, of what agents have traced. The oldest is the first. */
export function reportsIn(files: readonly Pick<TraceFile, "agent" | "events">[], at: number): TracedReports {
  const reports = files.flatMap(({ agent, events }) =>
    events
      .filter(({ point }) => point === "validator:report")
      .map((event) => ({
        at: event.at,
        agent: event.agent,
        agentName: agent.name,
        code: event.code ?? "",
        text: event.text ?? "",
      })),
  );
  return { traced: files.length, at, reports: reports.sort((one, other) => one.at - other.at) };
}
