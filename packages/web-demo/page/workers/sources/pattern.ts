import { imageFormat } from "dmabuf";
import { playPainted, type Stage } from "./stage.js";

const WIDTH = 640;
const HEIGHT = 360;

/** Bars that stand, a disc that goes round, and a ramp that drifts. */
export function playPattern(stage: Stage): Promise<void> {
  const about = `Test pattern, ${WIDTH} × ${HEIGHT}, RGBA, 30 pictures a second`;
  return playPainted(stage, imageFormat("RGBA", WIDTH, HEIGHT), about, paint);
}

/** Opaque, as words of an engine whose words begin with their lowest byte: all do. */
function colour(red: number, green: number, blue: number): number {
  return (0xff00_0000 | (blue << 16) | (green << 8) | red) >>> 0;
}

const BARS = [
  colour(214, 214, 214),
  colour(210, 188, 70),
  colour(74, 178, 196),
  colour(78, 168, 96),
  colour(176, 84, 168),
  colour(196, 76, 66),
  colour(58, 84, 176),
];
const DISC = colour(250, 250, 250);
const RADIUS = 46;

function paint(pixels: Uint32Array, picture: number): void {
  const barRows = Math.round(HEIGHT * 0.7);
  const drift = picture * 3;
  const first = pixels.subarray(0, WIDTH);
  for (let x = 0; x < WIDTH; x++) first[x] = BARS[Math.floor((x * BARS.length) / WIDTH)]!;
  for (let y = 1; y < barRows; y++) pixels.copyWithin(y * WIDTH, 0, WIDTH);
  const ramp = pixels.subarray(barRows * WIDTH, (barRows + 1) * WIDTH);
  for (let x = 0; x < WIDTH; x++) {
    const grey = ((x + drift) % WIDTH) * (255 / WIDTH);
    ramp[x] = colour(grey, grey, grey);
  }
  for (let y = barRows + 1; y < HEIGHT; y++) pixels.copyWithin(y * WIDTH, barRows * WIDTH, (barRows + 1) * WIDTH);
  const angle = picture / 24;
  const [x0, y0] = [WIDTH / 2 + Math.cos(angle) * 210, HEIGHT * 0.45 + Math.sin(angle) * 90];
  for (let y = Math.ceil(y0 - RADIUS); y <= y0 + RADIUS; y++) {
    const half = Math.sqrt(RADIUS ** 2 - (y - y0) ** 2);
    pixels.fill(DISC, y * WIDTH + Math.ceil(x0 - half), y * WIDTH + Math.floor(x0 + half) + 1);
  }
}
