import { viewLink } from "../store/route.js";
import { currentView, VIEWS } from "../views/index.js";

/** The links to all views. */
export function Navigation() {
  return (
    <nav class="views" aria-label="Views">
      <ul>
        {VIEWS.map(({ name, title }) => (
          <li key={name}>
            <a href={viewLink(name)} aria-current={currentView.value.name === name ? "page" : undefined}>
              {title}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}
