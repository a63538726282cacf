import { theme, type Theme } from "../store/theme.js";
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

/** Three frames of a ring, of which one is handed on. */
function Mark() {
  return (
    <svg class="mark" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true">
      <rect x="1" y="8" width="6" height="8" rx="1.5" class="mark-quiet" />
      <rect x="9" y="5" width="6" height="14" rx="1.5" class="mark-loud" />
      <rect x="17" y="8" width="6" height="8" rx="1.5" class="mark-quiet" />
    </svg>
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

const NEXT: Readonly<Record<Theme, Theme>> = { system: "light", light: "dark", dark: "system" };
const NAMES: Readonly<Record<Theme, string>> = { system: "as the system", light: "light", dark: "dark" };
const PATHS: Readonly<Record<Theme, string>> = {
  system: "M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 1 0 0-13zM8 3v10a5 5 0 0 1 0-10z",
  light:
    "M8 5a3 3 0 1 0 0 6a3 3 0 1 0 0-6zM7.3 1h1.4v2.4H7.3zM7.3 12.6h1.4V15H7.3zM1 7.3h2.4v1.4H1zM12.6 7.3H15v1.4h-2.4z",
  dark: "M6.5 1.7a6.5 6.5 0 1 0 7.8 7.8A5.5 5.5 0 0 1 6.5 1.7z",
};

/** One button for three choices, of which it shows the one that is in force. */
function ThemeChoice() {
  const name = `Colours: ${NAMES[theme.value]}`;
  return (
    <button
      type="button"
      class="button icon theme"
      aria-label={name}
      title={name}
      onClick={() => (theme.value = NEXT[theme.value])}
    >
      <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" fill="currentColor" fill-rule="evenodd">
        <path d={PATHS[theme.value]} />
      </svg>
    </button>
  );
}
