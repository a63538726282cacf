import { render } from "preact";

render(<main>dmabuf</main>, document.getElementById("app")!);
