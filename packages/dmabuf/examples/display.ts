// A camera on a screen, without a copy: node dist/examples/display.js /dev/video0 /dev/dri/card0
import { Display, DrmDevice, present, record, streamFormat, VideoDevice } from "dmabuf/linux";
import { ProcessDomain } from "dmabuf/node";

const [camera = "/dev/video0", card = "/dev/dri/card0", seconds = "10"] = process.argv.slice(2);
using domain = ProcessDomain.create();
using device = VideoDevice.open(camera);
device.setFormat("capture", { pixelFormat: "XR24", width: 640, height: 360 });
using stream = domain.createStream({ format: streamFormat(device.format("capture")), buffers: 6 });
using graphics = DrmDevice.open(card); // on a virtual terminal of its own: a desktop does not share its screens
using display = Display.open(graphics);
console.log(`${display.name}: ${display.mode.width}×${display.mode.height} at ${display.mode.refresh} Hz`);

const recording = record(device, stream); // the camera writes into the stream's own buffers
setTimeout(() => stream.end(), Number(seconds) * 1000);
const { shown, copied } = await present(stream, display); // and the screen reads them there
console.log(`showed ${shown} frames and copied ${copied}`);
await recording;
