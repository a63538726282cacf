import type { FrameFormat } from "dmabuf";
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { rateHistory, streamKey } from "../../src/shared/rates.js";
import type { DomainSnapshot, SnapshotAgent, SnapshotBuffer, SnapshotStream } from "dmabuf/node";
import { bytesText, count, durationText, rateText } from "../format.js";
import { explain, type Explained } from "../store/client.js";
import { deselect, selection, type Selection } from "../store/route.js";
import { minute, rates, shown, shownIndex } from "../store/store.js";
import { Contents } from "./contents.js";
import { AgentName, AgentNames, AgentState, BufferName, bufferText, nameOf } from "./names.js";
import { Ring } from "./ring.js";
import { Sparkline } from "./sparkline.js";

/** All that is known of the thing that the person has chosen. */
export function Details() {
  const thing = selection.value;
  const snapshot = shown.value;
  const title = useRef<HTMLHeadingElement>(null);
  const key = thing === undefined ? "" : JSON.stringify(thing);
  useEffect(() => {
    if (key === "") return;
    const before = document.activeElement;
    title.current?.focus({ preventScroll: true });
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, [key]);
  if (thing === undefined || snapshot === undefined) return null;
  const { name, kind, body } = contentOf(snapshot, thing);
  return (
    <aside class="details" aria-label="Details" onKeyDown={({ key }) => key === "Escape" && deselect()}>
      <header>
        <div>
          <p class="small quiet">{kind}</p>
          <h2 ref={title} tabIndex={-1}>
            {name}
          </h2>
        </div>
        <button type="button" class="button icon" aria-label="Close the details" onClick={deselect}>
          ✕
        </button>
      </header>
      {body}
    </aside>
  );
}

interface Content {
  readonly kind: string;
  readonly name: string;
  readonly body: ComponentChildren;
}

function contentOf(snapshot: DomainSnapshot, thing: Selection): Content {
  switch (thing.kind) {
    case "agent": {
      const agent = snapshot.agents.find(({ identity }) => identity === thing.identity);
      if (agent === undefined) return gone("Agent");
      return { kind: "Agent", name: nameOf(agent), body: <AgentDetails agent={agent} snapshot={snapshot} /> };
    }
    case "buffer": {
      const buffer = snapshot.buffers.find(({ inode }) => inode === thing.inode);
      if (buffer === undefined) return gone("Buffer");
      const name = bufferText(buffer.inode, buffer.name);
      return { kind: "Buffer", name, body: <BufferDetails buffer={buffer} snapshot={snapshot} /> };
    }
    case "stream": {
      const stream = snapshot.streams.find((each) => streamKey(each) === thing.key);
      if (stream === undefined) return gone("Stream");
      return { kind: "Stream", name: stream.name || "stream", body: <StreamDetails stream={stream} /> };
    }
  }
}

function gone(kind: string): Content {
  return { kind, name: "It is gone", body: <p class="quiet">It is not there at the moment that is shown.</p> };
}

function AgentDetails({ agent, snapshot }: { agent: SnapshotAgent; snapshot: DomainSnapshot }) {
  const { identity, process, state } = agent;
  const held = snapshot.buffers.filter(({ holders }) => holders.includes(identity));
  const streams = snapshot.streams.filter(({ producer }) => producer === identity);
  const consumed = snapshot.streams.filter(({ consumers }) => consumers.some(({ agent }) => agent === identity));
  const does = snapshot.waits.filter(({ agent }) => agent === identity);
  return (
    <dl class="facts">
      <Fact name="State">
        <AgentState state={state} />
      </Fact>
      <Fact name="Process">{process ?? "unknown"}</Fact>
      <Fact name="Fills">{streams.map(({ name }) => name).join(", ") || "no stream"}</Fact>
      <Fact name="Reads">{consumed.map(({ name }) => name).join(", ") || "no stream"}</Fact>
      <Fact name="Holds">
        {count(held.length, "buffer")}, {bytesText(held.reduce((sum, { size }) => sum + size, 0))}
      </Fact>
      <Fact name="Does just now">
        {does.length === 0 ? (
          "nothing that lasts"
        ) : (
          <ul class="lines">
            {does.map(({ text, since, blocks, place }, i) => (
              <li key={i}>
                {text}
                {since !== undefined && <span class="number"> for {durationText(snapshot.at - since)}</span>}
                {blocks && ", with its thread blocked"}
                {place !== undefined && <span class="code"> {place}</span>}
              </li>
            ))}
          </ul>
        )}
      </Fact>
    </dl>
  );
}

function BufferDetails({ buffer, snapshot }: { buffer: SnapshotBuffer; snapshot: DomainSnapshot }) {
  const stream = snapshot.streams.find(({ slot }) => slot === buffer.stream?.stream);
  return (
    <>
      <dl class="facts">
        <Fact name="Size">{bytesText(buffer.size)}</Fact>
        <Fact name="Number">{buffer.inode}</Fact>
        <Fact name="Exporter">
          {buffer.exporterName}, of <AgentName identity={buffer.exporter} />
        </Fact>
        {stream !== undefined && buffer.stream !== undefined && (
          <Fact name="Stream">
            {stream.name || "a stream"}, place {buffer.stream.place}
          </Fact>
        )}
        <Fact name="Held by">
          <AgentNames identities={buffer.holders} />
        </Fact>
        <Fact name="Written by">
          <AgentNames identities={buffer.writer === undefined ? [] : [buffer.writer]} none="no agent" />
        </Fact>
        <Fact name="Read by">
          <AgentNames identities={buffer.readers} none="no agent" />
        </Fact>
        <Fact name="Importers">{buffer.attachments}</Fact>
        <Fact name="Fences">
          {buffer.fences.length === 0 ? (
            "none that is pending"
          ) : (
            <ul class="lines">
              {buffer.fences.map(({ usage, fence }) => (
                <li key={`${usage} ${fence}`}>
                  <span class="code">{fence}</span> for {usage}
                </li>
              ))}
            </ul>
          )}
        </Fact>
      </dl>
      <Why what={{ buffer: buffer.inode }} />
      <Contents inode={buffer.inode} size={buffer.size} format={stream?.format} />
    </>
  );
}

function StreamDetails({ stream }: { stream: SnapshotStream }) {
  const { producer, places, consumers, end, name, format } = stream;
  const key = streamKey(stream);
  const history = rateHistory(minute.value, shownIndex.value, key);
  return (
    <>
      <dl class="facts">
        <Fact name="Rate">
          {end ?? (rateText(rates.value.get(key)) || "not known yet")}
          <Sparkline values={history} label="Its rate in the last minute" />
        </Fact>
        <Fact name="Producer">
          <AgentNames identities={producer === 0 ? [] : [producer]} none="has left" />
        </Fact>
        {format !== undefined && <Fact name="Frames">{formatText(format)}</Fact>}
        <Fact name="Buffers">
          <Ring places={places} />
          <ul class="lines">
            {places.map(({ slot, inode, frame, state }) => (
              <li key={slot}>
                <BufferName inode={inode} />: {state}
                {frame !== undefined && <span class="number">, frame {frame}</span>}
              </li>
            ))}
          </ul>
        </Fact>
        <Fact name="Consumers">
          {consumers.length === 0 ? (
            "none"
          ) : (
            <ul class="lines">
              {consumers.map(({ agent, behind, policy, group }, i) => (
                <li key={i}>
                  <AgentName identity={agent} />
                  <span class="number">, {behindWords(behind)}</span>, {policy}
                  {group !== undefined && `, of group ${group}`}
                </li>
              ))}
            </ul>
          )}
        </Fact>
      </dl>
      {name !== "" && <Why what={{ stream: name }} />}
    </>
  );
}

function behindWords(behind: number): string {
  return behind === 0 ? "up to date" : `${count(behind, "frame")} behind`;
}

function formatText({ kind, size, pixelFormat, width, height, shape, type, channels, rate }: FrameFormat): string {
  const parts: Readonly<Record<FrameFormat["kind"], readonly (string | number | undefined)[]>> = {
    image: [pixelFormat, `${width}×${height}`],
    tensor: ["tensor", type, shape?.join("×")],
    audio: ["audio", `${channels} channels`, `${rate} Hz`],
    raw: ["bytes"],
  };
  return `${parts[kind].join(" ")}, ${bytesText(size)} a frame`;
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Who holds it up, asked when a person wants to know. It is of now, also while the page is paused. */
function Why({ what }: { what: Explained }) {
  const [said, setSaid] = useState("");
  const ask = (): void => {
    explain(what).then(
      ({ sentence }) => setSaid(sentence),
      (error: Error) => setSaid(error.message),
    );
  };
  useEffect(() => setSaid(""), [JSON.stringify(what)]);
  return (
    <div class="why">
      <button type="button" class="button" onClick={ask}>
        What is it waiting for now?
      </button>
      <p role="status">{said}</p>
    </div>
  );
}
