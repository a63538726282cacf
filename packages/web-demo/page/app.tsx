import { Buffers } from "./components/buffers.js";
import { Capabilities } from "./components/capabilities.js";
import { Controls } from "./components/controls.js";
import { Copies } from "./components/copies.js";
import { DropZone } from "./components/drop-zone.js";
import { Header } from "./components/header.js";
import { Isolation } from "./components/isolation.js";
import { Keys } from "./components/keys.js";
import { HistogramLane, MotionLane, PictureLane } from "./components/lanes.js";
import { Recording } from "./components/recording.js";
import { SlowLane } from "./components/slow-lane.js";
import { SoundLane } from "./components/sound-lane.js";
import { SourcePanel } from "./components/source-panel.js";
import { isPossible } from "./state/world.js";

/** The page: what it is about, its controls, and everything that lives on the pictures. */
export function App() {
  return (
    <>
      <a class="skip" href="#content">
        Skip to the content
      </a>
      <Header />
      <main id="content" tabIndex={-1}>
        <header class="view-head">
          <h1>One video, decoded once, for every worker</h1>
          <p class="quiet">
            A worker decodes into shared memory. Three others draw it, measure its motion and count its brightness
            there, where it lies. Kill any of them: the rest goes on.
          </p>
        </header>
        <Isolation />
        {isPossible && <Live />}
        <Capabilities />
      </main>
    </>
  );
}

function Live() {
  return (
    <DropZone>
      <Controls />
      <div class="stage">
        <PictureLane />
        <div class="side">
          <Copies />
          <SourcePanel />
          <Recording />
        </div>
      </div>
      <section class="lanes" aria-label="Lanes">
        <MotionLane />
        <HistogramLane />
        <SoundLane />
      </section>
      <SlowLane />
      <Buffers />
      <Keys />
    </DropZone>
  );
}
