import { useEffect, useRef } from "preact/hooks";
import { Details } from "./components/details.js";
import { Header } from "./components/header.js";
import { Navigation } from "./components/navigation.js";
import { Notice } from "./components/notice.js";
import { Player } from "./components/player.js";
import { selection } from "./store/route.js";
import { shown } from "./store/store.js";
import { currentView } from "./views/index.js";

/** The page: what is around each view. */
export function App() {
  const view = currentView.value;
  const title = useRef<HTMLHeadingElement>(null);
  const isFirst = useRef(true);
  useEffect(() => {
    document.title = `${view.title} – dmabuf inspector`;
    // Who has followed a link hears where it has led; who has just come is at the top.
    if (!isFirst.current) title.current?.focus();
    isFirst.current = false;
  }, [view]);
  return (
    <div class={selection.value === undefined ? "frame" : "frame with-details"}>
      <a class="skip" href="#content" onClick={skip}>
        Skip to the content
      </a>
      <Header />
      <Navigation />
      <main id="content" tabIndex={-1}>
        <Notice />
        <header class="view-head">
          <h1 ref={title} tabIndex={-1}>
            {view.title}
          </h1>
          <p class="quiet">{view.about}</p>
        </header>
        {shown.value === undefined ? <p class="empty">There is nothing to see yet.</p> : <view.Component />}
      </main>
      <Details />
      <Player />
    </div>
  );
}

/** The address after `#` is the view's, and so the link is followed by hand. */
function skip(event: Event): void {
  event.preventDefault();
  document.getElementById("content")?.focus();
}
