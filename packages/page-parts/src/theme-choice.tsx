import { theme, type Theme } from "./theme.js";

const NEXT: Readonly<Record<Theme, Theme>> = { system: "light", light: "dark", dark: "system" };
const NAMES: Readonly<Record<Theme, string>> = { system: "as the system", light: "light", dark: "dark" };
const PATHS: Readonly<Record<Theme, string>> = {
  system: "M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 1 0 0-13zM8 3v10a5 5 0 0 1 0-10z",
  light:
    "M8 5a3 3 0 1 0 0 6a3 3 0 1 0 0-6zM7.3 1h1.4v2.4H7.3zM7.3 12.6h1.4V15H7.3zM1 7.3h2.4v1.4H1zM12.6 7.3H15v1.4h-2.4z",
  dark: "M6.5 1.7a6.5 6.5 0 1 0 7.8 7.8A5.5 5.5 0 0 1 6.5 1.7z",
};

/** One button for three choices, of which it shows the one that is in force. */
export function ThemeChoice() {
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
