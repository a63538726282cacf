import { effect, signal } from "@preact/signals";

/** Light or dark: as the system has it, unless the person has chosen. */
export type Theme = "system" | "light" | "dark";

const KEY = "dmabuf-theme";

export const theme = signal<Theme>(stored());

/** Notes the choice in the document, where the styles look, and for the next time. */
export function applyTheme(): void {
  effect(() => {
    document.documentElement.dataset["theme"] = theme.value;
    try {
      localStorage.setItem(KEY, theme.value);
    } catch {
      // The browser stores nothing here.
    }
  });
}

function stored(): Theme {
  try {
    const text = localStorage.getItem(KEY);
    return text === "light" || text === "dark" ? text : "system";
  } catch {
    return "system";
  }
}
