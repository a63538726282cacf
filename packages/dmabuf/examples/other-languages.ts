import { imageFormat } from "dmabuf";
import { ProcessDomain } from "dmabuf/node";

using domain = ProcessDomain.create();
const format = imageFormat("NV12", 640, 480);
using camera = domain.createStream({ name: "camera", format });
using filled = domain.createStream({ name: "filled", format });
using viewers = domain.serveViewers("@camera", camera, { policy: "block" });
using contributors = domain.serveContributors("@to-fill", filled, { ends: true });
console.log(viewers.viewers, contributors.contributors); // 0 0
