/** What an engine is started with. */
export interface EngineOptions {
  /** WebGL and WebGPU as far as the engine has them without a graphics card; they are slow to start. */
  gpu?: boolean;
  /** Sound starts without a click. */
  audio?: boolean;
  /** A camera and a microphone that are not real, and the right to use them. */
  camera?: boolean;
}

/** A started engine. */
export interface Engine extends AsyncDisposable {
  readonly name: "chromium" | "firefox" | "webkit";
  /** For instance `"153.0"`. */
  readonly version: string;
  /** Opens an empty page with a storage of its own. */
  open(): Promise<EnginePage>;
  /** Ends every process of the engine. */
  close(): Promise<void>;
}

/** How long something is waited for. */
export interface UntilOptions {
  /** Milliseconds. */
  timeout?: number;
}

/**
 * A page of an engine. A command that does not end within two minutes fails.
 *
 * A `selector` is one of CSS; what it selects must be there already: {@link until} waits.
 */
export interface EnginePage {
  /** Loads a page, and waits until it has loaded. The errors of the page before are forgotten. */
  goto(url: string): Promise<void>;
  /**
   * Evaluates an expression; a promise is awaited.
   *
   * @param script An expression, not a list of statements.
   * @param options A `timeout` in milliseconds; 120,000 by default.
   * @returns What JSON can say of its value.
   * @throws {Error} with the page's message if it throws.
   */
  evaluate<T>(script: string, options?: UntilOptions): Promise<T>;
  /**
   * Evaluates an expression again and again until its value is true, and returns that value.
   *
   * @param options A `timeout` in milliseconds; 30,000 by default.
   * @throws {Error} with the page's errors if it does not become true.
   */
  until<T>(script: string, options?: UntilOptions): Promise<T>;
  /** Clicks on an element, by the mouse. */
  click(selector: string): Promise<void>;
  /** Presses and releases a key, as `KeyboardEvent.key` names it, also with others: `"Control+a"`. WebKitGTK cannot `"Shift+Tab"`. */
  press(key: string): Promise<void>;
  /** Gives a field another value, and tells the page so by `input` and `change`. */
  fill(selector: string, text: string): Promise<void>;
  /** Drops a file of this machine on an element. Its type is by its name, as a desktop says it: MP4, PNG and text. */
  drop(selector: string, path: string): Promise<void>;
  /** Makes the page as large as this, in CSS's pixels. */
  resize(width: number, height: number): Promise<void>;
  /** Has the page see what a user prefers; in Firefox, all pages of the engine. WebKitGTK cannot. */
  colorScheme(scheme: "light" | "dark"): Promise<void>;
  /** Gives the page's origin so many bytes to store, until the page is closed. Only Chromium can. */
  limitStorage(bytes: number): Promise<void>;
  /** Writes a picture (PNG) of what is in sight. */
  screenshot(path: string): Promise<void>;
  /**
   * Uncaught errors and rejections of the page since it was loaded, and the end of its process. In WebKitGTK they are known
   * after the next {@link evaluate}, and those from before the page has loaded are not.
   */
  readonly errors: readonly string[];
  /** What the page has written with `console.error()` since it was loaded; in Chromium also its workers, and what could not be loaded. */
  readonly logged: readonly string[];
  close(): Promise<void>;
}
