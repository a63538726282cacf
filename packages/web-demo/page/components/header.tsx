import { Mark, ThemeChoice } from "dmabuf-page-parts";
import { able } from "../state/world.js";

/** What the page is, whether it is isolated, and the choice of light or dark. */
export function Header() {
  const { has } = able.isolated;
  return (
    <header class="top">
      <span class="brand">
        <Mark />
        dmabuf <span class="quiet">in the browser</span>
      </span>
      <span class={`status ${has ? "good" : "bad"}`} role="status" data-mark="isolated">
        <span class="dot" aria-hidden="true" />
        This page is isolated: {has ? "yes" : "no"}
      </span>
      <ThemeChoice />
    </header>
  );
}
