import { sentence } from "../shared/messages.js";
import { able } from "../state/world.js";

const NAMES: Readonly<Record<keyof typeof able, string>> = {
  isolated: "Cross-origin isolated",
  sharedMemory: "Shared memory",
  waitAsync: "Atomics.waitAsync",
  mayBlock: "May block this thread",
  locks: "Web Locks",
  wasm: "WebAssembly",
  webCodecs: "WebCodecs",
  webGpu: "WebGPU",
  webGl: "WebGL 2",
  opfs: "Files of pages (OPFS)",
  audioWorklet: "AudioWorklet",
  dispose: "Symbol.dispose",
};

/** What this browser has of what the library uses, and what helps where something is missing. */
export function Capabilities() {
  const all = Object.entries(NAMES) as [keyof typeof able, string][];
  return (
    <details class="block about" data-mark="capabilities">
      <summary>What this browser has</summary>
      <ul class="abilities">
        {all.map(([key, name]) => {
          const { has, reason, remedy } = able[key];
          return (
            <li key={key} data-ability={key} data-has={has}>
              <span class={has ? "good" : "warn"}>{has ? "yes" : "no"}</span> {name}
              {!has && (
                <span class="quiet">
                  {" "}
                  {sentence(reason ?? "")} {sentence(remedy ?? "")}
                </span>
              )}
            </li>
          );
        })}
      </ul>
    </details>
  );
}
