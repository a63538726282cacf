import { render } from "preact";
import { App } from "./app.js";
import { connect } from "./store/store.js";
import { applyTheme } from "./store/theme.js";

applyTheme();
connect();
const place = document.getElementById("app");
if (place !== null) render(<App />, place);
