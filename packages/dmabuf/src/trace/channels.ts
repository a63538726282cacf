import { eventFrom, TRACE_POINTS, type RawEvent, type TraceMessage } from "../domain/trace-points.js";
import { useChannels, type Channel } from "./agent-tracer.js";
import { builtinModule } from "../host/modules.js";

interface DiagnosticsChannel {
  channel(name: string): Channel;
}

let isOpen = false;

/** Opens the channels of all points, where there is `node:diagnostics_channel`. Twice does nothing. */
export function openChannels(): void {
  if (isOpen) return;
  isOpen = true;
  const { channel } = builtinModule<DiagnosticsChannel>("node:diagnostics_channel") ?? {};
  if (channel === undefined) return;
  const message = (event: RawEvent, domain: string): TraceMessage => ({ ...eventFrom(event), domain });
  useChannels((point) => channel(`dmabuf:${TRACE_POINTS[point]}`), message);
}
