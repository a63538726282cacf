import { signal } from "@preact/signals";
import { handOver, isPlaying, members, pace, setHandOver, setPace, setPlaying, source } from "./session.js";
import { record } from "./record.js";

/** One letter each, while no field is being typed into. They can be turned off. */
export const SHORTCUTS: readonly { readonly key: string; readonly does: string; readonly run: () => void }[] = [
  { key: "p", does: "Play or pause", run: () => setPlaying(!isPlaying.peek()) },
  {
    key: "c",
    does: "Shared memory or copies",
    run: () => setHandOver(handOver.peek() === "shared" ? "copies" : "shared"),
  },
  {
    key: "f",
    does: "As recorded or as fast as it goes",
    run: () => setPace(pace.peek() === "fast" ? "recorded" : "fast"),
  },
  { key: "r", does: "Record 5 seconds", run: record },
  { key: "1", does: "Kill the picture", run: () => members.picture.kill() },
  { key: "2", does: "Kill the motion", run: () => members.motion.kill() },
  { key: "3", does: "Kill the histogram", run: () => members.histogram.kill() },
  { key: "0", does: "Kill the decoder", run: () => source.kill() },
];

export const areKeysOn = signal(true);

export function listenForKeys(): void {
  document.addEventListener("keydown", (event) => {
    const { key, ctrlKey, metaKey, altKey, target, repeat } = event;
    if (!areKeysOn.peek() || ctrlKey || metaKey || altKey || repeat) return;
    if (target instanceof HTMLElement && target.closest("input[type=text], textarea, select, [contenteditable]"))
      return;
    const shortcut = SHORTCUTS.find((each) => each.key === key.toLowerCase());
    if (shortcut === undefined) return;
    event.preventDefault();
    shortcut.run();
  });
}
