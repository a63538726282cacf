import { applyTheme } from "dmabuf-page-parts";
import { render } from "preact";
import { App } from "./app.js";
import { connect } from "./store/store.js";

applyTheme();
connect();
const place = document.getElementById("app");
if (place !== null) render(<App />, place);
