/**
 * The browser's types that the declarations of `dmabuf/web` name. A program without the DOM's types has these empty ones;
 * where the DOM's are known, nothing is added to them.
 */

declare global {
  /* eslint-disable @typescript-eslint/no-empty-object-type, @typescript-eslint/no-unused-vars, @typescript-eslint/no-explicit-any -- what a program's own types say of them is added to these; without such types they are all */
  interface AudioWorkletNode {}
  interface EncodedVideoChunk {}
  interface Event {}
  interface GPUBuffer {}
  interface GPUDevice {}
  interface GPUQueue {}
  interface GPUTexture {}
  interface MediaStreamTrack {}
  interface ReadableStream<R = any> {}
  interface VideoDecoderConfig {}
  interface VideoFrame {}
  interface VideoFrameInit {}
  interface WebGL2RenderingContext {}
  interface WebGLTexture {}
  interface Worker {}
  interface WritableStream<W = any> {}
  /* eslint-enable @typescript-eslint/no-empty-object-type, @typescript-eslint/no-unused-vars, @typescript-eslint/no-explicit-any -- they end here */
}

export {};
