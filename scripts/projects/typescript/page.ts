import { Domain, imageFormat } from "dmabuf";

const domain = Domain.create({ name: "page" });
const stream = domain.createStream({ name: "camera", format: imageFormat("RGBA", 64, 64), buffers: 3 });
const worker = new Worker(new URL("./camera.js", import.meta.url), { type: "module" });
const invitation = domain.invite({ name: "camera" });
worker.postMessage({ invitation, stream: stream.handle() }, [invitation.port]);
void (async () => {
  for await (const frame of stream.frames({ policy: "newest" })) frame.close();
})();
