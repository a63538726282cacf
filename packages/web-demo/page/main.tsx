import { applyTheme } from "dmabuf-page-parts";
import { render } from "preact";
import { App } from "./app.js";
import { isolateIfAsked } from "./state/isolation.js";
import { listenForKeys } from "./state/keys.js";
import { begin } from "./state/session.js";
import { lookNowAndThen } from "./state/watch.js";
import { isPossible } from "./state/world.js";

applyTheme();
void isolateIfAsked();
if (isPossible) {
  begin();
  lookNowAndThen();
  listenForKeys();
}
const place = document.getElementById("app");
if (place !== null) render(<App />, place);
