// The worker of the page: a model sees each frame.
import { copiedBytes, Domain } from "dmabuf";
import { joinFromPage } from "dmabuf/web";
import { env, InferenceSession, Tensor } from "onnxruntime-web/wasm";

// From "pixels" [1, height, width, 4] of 0 to 255 to "edges" [1, 1, 1, 1]: Cast, Transpose, Conv with the difference of the
// greys on both sides, Abs, GlobalAveragePool.
const MODEL =
  "CAg6igIKHAoGcGl4ZWxzEgFmIgRDYXN0KgkKAnRvGAGgAQIKJAoBZhIBcCIJVHJhbnNwb3NlKhEKBHBlcm1AAEADQAFAA" +
  "qABBwoPCgFwCgF3EgFkIgRDb252CgsKAWQSAWEiA0FicwodCgFhEgVlZGdlcyIRR2xvYmFsQXZlcmFnZVBvb2wSAWcqPw" +
  "gBCAQIAQgDEAFCAXdKMKuqqr4AAAAAq6qqPquqqr4AAAAAq6qqPquqqr4AAAAAq6qqPgAAAAAAAAAAAAAAAFoiCgZwaXh" +
  "lbHMSGAoWCAISEgoCCAEKAxIBaAoDEgF3CgIIBGIfCgVlZGdlcxIWChQIARIQCgIIAQoCCAEKAggBCgIIAUIECgAQDQ==";

env.wasm.wasmPaths = { wasm: "/node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm" }; // from the page's server
env.wasm.numThreads = 1; // its own threads would share out one frame: here each worker has its own

const { domain, data } = await joinFromPage(Domain);
const session = await InferenceSession.create(Uint8Array.from(atob(MODEL), (character) => character.charCodeAt(0)));
let copied = 0;
for await (const frame of domain.import(data).frames()) {
  const { width, height } = frame.format;
  const pixels = new Tensor("uint8", frame.bytes, [1, height, width, 4]); // the shared bytes, in place
  copied += frame.length; // run() copies them into the memory of onnxruntime: it cannot look elsewhere
  const { edges } = await session.run({ pixels });
  frame.close(); // not before the session has finished
  console.log("picture", frame.sequence, "has", Math.round((edges.data[0] * (width - 2)) / 510), "edges in a row");
}
console.log("consumer:", copiedBytes() + copied, "bytes were copied");
domain.close();
postMessage("over");
