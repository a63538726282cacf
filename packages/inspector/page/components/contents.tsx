import type { FrameFormat } from "dmabuf";
import { useEffect, useRef, useState } from "preact/hooks";
import { heatMap } from "../../src/pictures/heat-map.js";
import { hexLines } from "../../src/pictures/hex.js";
import { imagePicture } from "../../src/pictures/image.js";
import type { Picture as Pixels } from "../../src/pictures/picture.js";
import { wavesOf } from "../../src/pictures/waves.js";
import { count } from "../format.js";
import { bytesOf } from "../store/client.js";
import { Waves } from "./waves.js";

interface ContentsProps {
  readonly inode: number;
  readonly size: number;
  /** Of the stream that the buffer is in. */
  readonly format: FrameFormat | undefined;
}

/** How many bytes are shown at a time. */
const FEW = 128;

/** Milliseconds between a look and the next one. */
const EVERY = 200;

/** What is drawn at most, in pixels: details are half as wide. */
const MOST_PIXELS = 640;

/** What a look has found, and of what. */
interface Look {
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly isPicture: boolean;
}

/** What is in a buffer now, also while the page is paused: its bytes are not in snapshots. */
export function Contents({ inode, size, format }: ContentsProps) {
  const canDraw = format !== undefined && format.kind !== "raw" && format.size <= size;
  const [isOpen, setOpen] = useState(false);
  const [isLive, setLive] = useState(false);
  const [asBytes, setAsBytes] = useState(false);
  const [offset, setOffset] = useState(0);
  const [again, setAgain] = useState(0);
  const [look, setLook] = useState<Look | undefined>();
  const [failed, setFailed] = useState("");
  const isPicture = canDraw && !asBytes;

  // A person who goes from buffer to buffer sees what is in each.
  useEffect(() => {
    setOffset(0);
    setLook(undefined);
  }, [inode]);
  useEffect(() => {
    if (!isOpen) return;
    let isOver = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const range = isPicture ? { offset: 0, length: format.size } : { offset, length: Math.min(FEW, size - offset) };
    const take = async (): Promise<void> => {
      try {
        const bytes = await bytesOf(inode, range);
        if (isOver) return;
        setLook({ bytes, offset: range.offset, isPicture });
        setFailed("");
      } catch (error) {
        if (isOver) return;
        setFailed((error as Error).message);
        return setLive(false);
      }
      if (isLive) goOn();
    };
    const goOn = (): void => {
      timer = setTimeout(() => (document.visibilityState === "hidden" ? goOn() : void take()), EVERY);
    };
    void take();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [isOpen, isLive, isPicture, offset, again, inode]);

  if (!isOpen) {
    return (
      <section class="why contents" aria-label="Contents">
        <button type="button" class="button" onClick={() => setOpen(true)}>
          {canDraw ? `Show the ${NAMES[format.kind]} in it` : "Show its bytes"}
        </button>
      </section>
    );
  }
  return (
    <section class="why contents" aria-label="Contents">
      <div class="bar">
        {canDraw && (
          <div class="choice" role="group" aria-label="Show as">
            <button type="button" aria-pressed={!asBytes} onClick={() => setAsBytes(false)}>
              {TITLES[format.kind]}
            </button>
            <button type="button" aria-pressed={asBytes} onClick={() => setAsBytes(true)}>
              Bytes
            </button>
          </div>
        )}
        <div class="bar">
          <button type="button" class="button" onClick={() => setAgain(again + 1)}>
            Refresh
          </button>
          <button type="button" class="button" aria-pressed={isLive} onClick={() => setLive(!isLive)}>
            Follow
          </button>
        </div>
      </div>
      {look !== undefined && look.isPicture && isPicture && <Drawn bytes={look.bytes} format={format} />}
      {look !== undefined && !look.isPicture && !isPicture && <Hex bytes={look.bytes} offset={look.offset} />}
      {!isPicture && (
        <div class="bar">
          <button
            type="button"
            class="button"
            disabled={offset === 0}
            onClick={() => setOffset(Math.max(0, offset - FEW))}
          >
            Bytes before
          </button>
          <button type="button" class="button" disabled={offset + FEW >= size} onClick={() => setOffset(offset + FEW)}>
            Bytes after
          </button>
        </div>
      )}
      <p role="status" class="small quiet">
        {failed !== "" ? failed : isLive ? "As it changes, a few times a second." : "As it was at the last look."}
      </p>
    </section>
  );
}

const NAMES = { image: "picture", tensor: "tensor", audio: "sound", raw: "bytes" } as const;
const TITLES = { image: "Picture", tensor: "Heat map", audio: "Waves", raw: "Bytes" } as const;

function Drawn({ bytes, format }: { bytes: Uint8Array; format: FrameFormat }) {
  if (format.kind === "audio") return <Waves waves={wavesOf(format, bytes, MOST_PIXELS)} />;
  if (format.kind === "image") {
    const picture = imagePicture(format, bytes, MOST_PIXELS);
    const { pixelFormat, width = 0, height = 0 } = format;
    const said = [
      ...(pixelFormat === "RGBA" || pixelFormat === "BGRA" ? ["without its alpha"] : []),
      ...(picture.width < width ? [`${picture.width}×${picture.height} of ${width}×${height} pixels`] : []),
    ];
    return (
      <figure>
        <Canvas picture={picture} label={`The ${pixelFormat} picture in the buffer, ${width} by ${height} pixels`} />
        <figcaption class="small quiet">
          {pixelFormat}
          {said.map((part) => `, ${part}`)}
        </figcaption>
      </figure>
    );
  }
  const { picture, range, notFinite } = heatMap(format, bytes, MOST_PIXELS);
  const said =
    range === undefined
      ? "no finite number"
      : `from ${numberText(range.least)} to ${numberText(range.greatest)}, ${numberText(range.mean)} on average`;
  return (
    <figure>
      <Canvas picture={picture} label={`A ${format.type} tensor of ${format.shape?.join(" × ")}: ${said}`} />
      <figcaption class="small">
        {range !== undefined && (
          <span class="heat-scale number">
            {numberText(range.least)} <span class="heat-colours" aria-hidden="true" /> {numberText(range.greatest)}
          </span>
        )}
        <span class="quiet number">
          {range === undefined ? "No finite number" : `${numberText(range.mean)} on average`}
          {notFinite > 0 && `; ${count(notFinite, "number is not finite", "numbers are not finite")}, in red`}
        </span>
      </figcaption>
    </figure>
  );
}

function numberText(value: number): string {
  return Number.isInteger(value) && Math.abs(value) < 1e9 ? value.toLocaleString("en") : String(+value.toPrecision(4));
}

function Canvas({ picture: { width, height, pixels }, label }: { picture: Pixels; label: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    canvas.current?.getContext("2d")?.putImageData(new ImageData(pixels, width, height), 0, 0);
  }, [pixels, width, height]);
  return <canvas class="picture" ref={canvas} width={width} height={height} role="img" aria-label={label} />;
}

function Hex({ bytes, offset }: { bytes: Uint8Array; offset: number }) {
  return (
    <pre class="hex code" tabIndex={0} aria-label="Bytes">
      {hexLines(bytes, offset).map((line) => (
        <span key={line.offset}>
          <span class="quiet">{line.offset}</span> {line.bytes.padEnd(23)} <span class="quiet">{line.text}</span>
          {"\n"}
        </span>
      ))}
    </pre>
  );
}
