import { useEffect, useRef } from "preact/hooks";
import { lanes } from "../state/lanes.js";
import { beginPicture, feed, members } from "../state/session.js";
import { Bars, Curve } from "./charts.js";
import { Lane } from "./lane.js";

/** The picture itself, on a canvas that its worker draws on. */
export function PictureLane() {
  return (
    <Lane role="picture" title="Picture" keys="1">
      <Canvas key={members.picture.generation.value} />
    </Lane>
  );
}

/** A canvas can be given away once: each worker has its own. */
function Canvas() {
  const element = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const canvas = element.current!;
    const canTransfer = "transferControlToOffscreen" in canvas;
    beginPicture(canTransfer ? canvas.transferControlToOffscreen() : undefined);
  }, []);
  const about = feed.value?.about.text;
  return (
    <canvas
      class="view"
      ref={element}
      width={1280}
      height={720}
      role="img"
      aria-label={about === undefined ? "No picture yet" : `The picture: ${about}`}
    />
  );
}

export function MotionLane() {
  const { values } = lanes.motion.value;
  const latest = values.at(-1);
  return (
    <Lane role="motion" title="Motion" keys="2">
      <Curve
        values={values}
        label={latest === undefined ? "No motion yet" : `Motion: ${latest.toFixed(2)} of 255 at the last picture`}
      />
    </Lane>
  );
}

export function HistogramLane() {
  const { values } = lanes.histogram.value;
  return (
    <Lane role="histogram" title="Histogram" keys="3">
      <Bars values={values} label={values.length === 0 ? "No histogram yet" : "How many pixels are how bright"} />
    </Lane>
  );
}
