import { Domain } from "dmabuf";
import { instrument } from "dmabuf/opentelemetry";

using _instrumentation = instrument();
using domain = Domain.create();
using buffer = domain.allocate(4096, { name: "frame" });
using access = await buffer.access("write"); // a span "dmabuf.buffer.access"
console.log(access.mode, "is the span's dmabuf.buffer.access.mode");
