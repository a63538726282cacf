/** What the pages have in common. Their styles begin with `tokens.css` and `base.css`. */
export { Mark } from "./mark.js";
export { ThemeChoice } from "./theme-choice.js";
export { applyTheme, theme } from "./theme.js";
