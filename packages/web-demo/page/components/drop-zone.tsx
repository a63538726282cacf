import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { choose } from "../state/session.js";
import { say } from "../state/troubles.js";

/** A file may be dropped anywhere on the page. */
export function DropZone({ children }: { children: ComponentChildren }) {
  const [isOver, setOver] = useState(false);
  useEffect(() => {
    const over = (event: DragEvent): void => {
      event.preventDefault();
      setOver(true);
    };
    const leave = ({ relatedTarget }: DragEvent): void => {
      if (relatedTarget === null) setOver(false);
    };
    const drop = (event: DragEvent): void => {
      event.preventDefault();
      setOver(false);
      take(event.dataTransfer?.files[0]);
    };
    document.addEventListener("dragover", over);
    document.addEventListener("dragleave", leave);
    document.addEventListener("drop", drop);
    return () => {
      document.removeEventListener("dragover", over);
      document.removeEventListener("dragleave", leave);
      document.removeEventListener("drop", drop);
    };
  }, []);
  return (
    <>
      {children}
      {isOver && <div class="drop">Drop a video or a picture</div>}
    </>
  );
}

function take(file: File | undefined): void {
  if (file === undefined) return;
  // Some systems say no type: the source sees what it is.
  if (file.type === "" || /^(video|image)\//.test(file.type)) return choose({ kind: "file", file });
  const what = `“${file.name}” is neither a video nor a picture.`;
  say("source", { what, remedy: "Drop an MP4, a WebM, a PNG or a JPEG." });
}
