// A camera's frames for other processes, without a copy: node dist/examples/camera.js /dev/video0
import { record, streamFormat, VideoDevice } from "dmabuf/linux";
import { ProcessDomain } from "dmabuf/node";

using domain = ProcessDomain.listen("@camera"); // examples/consumer.ts finds it there
using device = VideoDevice.open(process.argv[2] ?? "/dev/video0");
device.setFormat("capture", { pixelFormat: "NV12", width: 640, height: 360 });
using stream = domain.createStream({ name: "camera", format: streamFormat(device.format("capture")), buffers: 6 });

const recording = record(device, stream); // the camera writes into the stream's own buffers
let frames = 0;
for await (using frame of stream.frames({ policy: "newest" })) {
  const { bytes } = frame.planes[0];
  console.log(frame.sequence, "brightness", bytes.reduce((total, byte) => total + byte, 0) / bytes.length);
  if (++frames === 30) stream.end();
}
await recording;
