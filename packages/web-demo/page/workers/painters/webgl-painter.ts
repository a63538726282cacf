import type { Frame, FrameFormat, Picture } from "dmabuf";
import { uploadPlanes } from "dmabuf/web";
import type { PostedFrame } from "../../shared/messages.js";
import { packedOrder, planesOf } from "../pixels.js";
import type { Painter } from "./painter.js";

/** By WebGL2: the planes go to the graphics processor from where they lie, and a shader makes colours of them. */
export class WebGlPainter implements Painter {
  readonly how = "WebGL2, from the shared memory itself: JavaScript copies nothing";
  readonly howPosted = "WebGL2, from a copy that was posted";
  readonly #gl: WebGL2RenderingContext;
  #format!: FrameFormat;
  #textures: WebGLTexture[] = [];
  #program: WebGLProgram | undefined;

  constructor(gl: WebGL2RenderingContext) {
    this.#gl = gl;
  }

  begin(format: FrameFormat): void {
    const gl = this.#gl;
    for (const texture of this.#textures) gl.deleteTexture(texture);
    gl.deleteProgram(this.#program ?? null);
    this.#format = format;
    this.#textures = format.planes.map(() => gl.createTexture());
    this.#program = programFor(gl, format);
    gl.useProgram(this.#program);
    for (const i of this.#textures.keys()) gl.uniform1i(gl.getUniformLocation(this.#program, `plane${i}`), i);
    const { width = 1, height = 1 } = format;
    gl.viewport(0, 0, width, height);
  }

  shared(frame: Frame): void {
    this.#show(frame.picture ?? {});
    uploadPlanes(this.#gl, this.#textures, frame);
    this.#draw();
  }

  posted(frame: PostedFrame): void {
    const gl = this.#gl;
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    planesOf(frame, this.#format).forEach((bytes, i) => {
      const { width, height, bytesPerSample } = this.#format.planes[i]!;
      const layout = [gl.RED, gl.RG, gl.RGB, gl.RGBA][bytesPerSample - 1]!;
      const inside = [gl.R8, gl.RG8, gl.RGB8, gl.RGBA8][bytesPerSample - 1]!;
      gl.bindTexture(gl.TEXTURE_2D, this.#textures[i]!);
      gl.texImage2D(gl.TEXTURE_2D, 0, inside, width, height, 0, layout, gl.UNSIGNED_BYTE, bytes);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    });
    this.#draw();
  }

  /** How the frame says that it is to be shown. */
  #show({ rotation = 0, flip = false, colorSpace }: Picture): void {
    const gl = this.#gl;
    const { width = 1, height = 1 } = this.#format;
    const isTurned = rotation % 180 !== 0;
    const [across, down] = isTurned ? [height, width] : [width, height];
    if (gl.canvas.width !== across || gl.canvas.height !== down) {
      [gl.canvas.width, gl.canvas.height] = [across, down];
      gl.viewport(0, 0, across, down);
    }
    const set = (name: string, value: number): void => gl.uniform1i(gl.getUniformLocation(this.#program!, name), value);
    set("turns", rotation / 90);
    set("flipped", Number(flip));
    set("full", Number(colorSpace?.fullRange === true));
    set("sd", Number(colorSpace?.matrix === "smpte170m" || colorSpace?.matrix === "bt470bg"));
  }

  #draw(): void {
    const gl = this.#gl;
    this.#textures.forEach((texture, i) => {
      gl.activeTexture(gl.TEXTURE0 + i);
      gl.bindTexture(gl.TEXTURE_2D, texture);
    });
    gl.activeTexture(gl.TEXTURE0);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }
}

/** One triangle that covers all, whose rows begin at the top; turned and mirrored as the picture says. */
const VERTICES = `#version 300 es
uniform int turns;
uniform bool flipped;
out vec2 at;
void main() {
  vec2 corner = vec2((gl_VertexID << 1) & 2, gl_VertexID & 2);
  vec2 shown = vec2(flipped ? 1.0 - corner.x : corner.x, 1.0 - corner.y);
  if (turns == 1) at = vec2(shown.y, 1.0 - shown.x);
  else if (turns == 2) at = 1.0 - shown;
  else if (turns == 3) at = vec2(1.0 - shown.y, shown.x);
  else at = shown;
  gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0);
}`;

/** Colours of BT.709, or of BT.601 as small videos have them, in the limited range or the full one. */
const VIDEO = `uniform bool full;
uniform bool sd;
vec4 colours(float y, vec2 uv) {
  float luma = full ? y : (y - 16.0 / 255.0) * 255.0 / 219.0;
  vec2 c = (uv - 128.0 / 255.0) * (full ? 1.0 : 255.0 / 224.0);
  if (sd) return vec4(luma + 1.402 * c.y, luma - 0.3441 * c.x - 0.7141 * c.y, luma + 1.772 * c.x, 1.0);
  return vec4(luma + 1.5748 * c.y, luma - 0.1873 * c.x - 0.4681 * c.y, luma + 1.8556 * c.x, 1.0);
}`;

function colourOf(format: FrameFormat): string {
  const order = packedOrder(format);
  if (order !== undefined) return `vec4(texture(plane0, at).${order === "RGB" ? "rgb" : "bgr"}, 1.0)`;
  if (format.planes.length === 3) {
    return "colours(texture(plane0, at).r, vec2(texture(plane1, at).r, texture(plane2, at).r))";
  }
  if (format.planes.length === 2) return "colours(texture(plane0, at).r, texture(plane1, at).rg)";
  return "vec4(texture(plane0, at).rrr, 1.0)";
}

function programFor(gl: WebGL2RenderingContext, format: FrameFormat): WebGLProgram {
  const samplers = format.planes.map((_, i) => `uniform sampler2D plane${i};`).join("\n");
  const fragments = `#version 300 es
precision mediump float;
in vec2 at;
out vec4 colour;
${samplers}
${VIDEO}
void main() { colour = ${colourOf(format)}; }`;
  const program = gl.createProgram();
  for (const [kind, source] of [
    [gl.VERTEX_SHADER, VERTICES],
    [gl.FRAGMENT_SHADER, fragments],
  ] as const) {
    const shader = gl.createShader(kind)!;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
    gl.deleteShader(shader);
  }
  gl.linkProgram(program);
  if (gl.getProgramParameter(program, gl.LINK_STATUS) === true) return program;
  throw new Error(`WebGL takes no shader for ${format.pixelFormat ?? format.kind}: ${gl.getProgramInfoLog(program)}`);
}
