import { useEffect, useRef, useState } from "react";
import { render, Text, useApp, useInput, useStdout } from "ink";
import type { DomainObserver } from "dmabuf/node";
import { endedText } from "../domain/agents.js";
import { choose, isQuit, type Pressed } from "./keys.js";
import { lookFor, type TopModel } from "./model.js";
import { chosenRows, rowsThatFit, screenLines, type Choice, type Size } from "./screen.js";

/** How `top` runs in a terminal. */
export interface LiveOptions {
  /** Milliseconds. */
  readonly interval: number;
  readonly limit: number;
  readonly choice: Choice;
}

/** The terminal's other screen: what was there before comes back at the end. */
const ENTER = "\u001b[?1049h\u001b[H";
const LEAVE = "\u001b[?1049l";

/** With the numbers of shells. SIGHUP comes when the terminal is closed. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/**
 * Shows the domain until a person quits; the terminal is then as before, also after a signal or an error.
 *
 * @returns The exit code.
 */
export async function runLive(observer: DomainObserver, options: LiveOptions): Promise<number> {
  const { stdout } = process;
  let last: TopModel | undefined;
  let code = 0;
  const leave = (): void => void stdout.write(LEAVE);
  stdout.write(ENTER);
  // Whatever happens.
  process.once("exit", leave);
  const keep = (model: TopModel): void => void (last = model);
  const app = render(<Top observer={observer} options={options} keep={keep} />, {
    stdout: withoutErasingHistory(stdout),
    exitOnCtrlC: false,
    patchConsole: false,
  });
  const end = (name: NodeJS.Signals): void => {
    code = SIGNALS[name as keyof typeof SIGNALS];
    app.unmount();
  };
  const names = Object.keys(SIGNALS) as NodeJS.Signals[];
  for (const name of names) process.once(name, end);
  try {
    await app.waitUntilExit();
  } finally {
    for (const name of names) process.off(name, end);
    process.off("exit", leave);
    leave();
  }
  if (last?.ended) console.log(endedText(observer.domain));
  return code;
}

interface TopProps {
  readonly observer: DomainObserver;
  readonly options: LiveOptions;
  readonly keep: (model: TopModel) => void;
}

function Top({ observer, options, keep }: TopProps) {
  const { exit } = useApp();
  const size = useSize();
  const [choice, setChoice] = useState(options.choice);
  const [model, setModel] = useState<TopModel>();
  // As it is after the last key, whether that is shown yet or not.
  const latest = useRef(choice);

  useEffect(() => {
    const stop = new AbortController();
    const look = async (): Promise<void> => {
      for (let time = FIRST_LOOK; !stop.signal.aborted; time = options.interval) {
        const next = await lookFor(observer, time, options.limit, stop.signal);
        if (stop.signal.aborted) return;
        keep(next);
        // The end is shown also to one who has paused.
        if (!latest.current.isPaused || next.ended) setModel(next);
        if (next.ended) return;
      }
    };
    look().catch((error: unknown) => exit(error as Error));
    return () => stop.abort();
  }, []);

  useInput((input, key) => {
    // What is typed faster than it is read, or pasted, comes as one input.
    for (const char of input === "" ? [""] : input) {
      const count = model === undefined ? 0 : chosenRows(model, latest.current).length;
      const pressed: Pressed = { input: char, key, count, fit: rowsThatFit(size) };
      if (isQuit(latest.current, pressed)) return exit();
      latest.current = choose(latest.current, pressed);
    }
    setChoice(latest.current);
  });

  // One text: a terminal's line each, cut at its right edge.
  return screenLines(model, choice, size).map((line, i) => (
    <Text key={i} wrap="truncate-end">
      {line === "" ? " " : line}
    </Text>
  ));
}

/** Milliseconds until the first picture. */
const FIRST_LOOK = 100;

function useSize(): Size {
  const { stdout } = useStdout();
  const [size, setSize] = useState<Size>(sizeOf(stdout));
  useEffect(() => {
    const resized = (): void => setSize(sizeOf(stdout));
    stdout.on("resize", resized);
    return () => void stdout.off("resize", resized);
  }, [stdout]);
  return size;
}

function sizeOf({ columns = 80, rows = 24 }: NodeJS.WriteStream): Size {
  return { columns, rows };
}

/** ink clears a terminal that has become smaller, with the lines that have scrolled away: these are not ours. */
function withoutErasingHistory(stdout: NodeJS.WriteStream): NodeJS.WriteStream {
  const write = (text: string | Uint8Array, ...rest: []): boolean =>
    stdout.write(typeof text === "string" ? text.replaceAll("\u001b[3J", "") : text, ...rest);
  return new Proxy(stdout, {
    get(target, name) {
      if (name === "write") return write;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}
