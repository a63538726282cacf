import { Mark, ThemeChoice } from "dmabuf-page-parts";
import { domainState, isPaused, link } from "../store/store.js";

/** What the page is of, whether that is live, and the choice of light or dark. */
export function Header() {
  return (
    <header class="top">
      <span class="brand">
        <Mark />
        dmabuf <span class="quiet">inspector</span>
      </span>
      <span class="where code" title="What is looked at">
        {domainState.value?.where}
      </span>
      <Status />
      <ThemeChoice />
    </header>
  );
}

function Status() {
  const { kind, text } = status();
  return (
    <span class={`status ${kind}`} role="status" id="status">
      <span class="dot" aria-hidden="true" />
      {text}
    </span>
  );
}

function status(): { kind: "good" | "warn" | "bad"; text: string } {
  if (link.value === "connecting") return { kind: "warn", text: "Connecting" };
  if (link.value === "lost") return { kind: "bad", text: "No connection" };
  if (isPaused.value) return { kind: "warn", text: "Paused" };
  if (domainState.value?.kind === "ended") return { kind: "bad", text: "Domain has ended" };
  if (domainState.value?.kind === "waiting") return { kind: "warn", text: "Waiting for a domain" };
  return { kind: "good", text: "Live" };
}
