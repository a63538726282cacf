import { signal } from "@preact/signals";
import { sayError } from "./troubles.js";

/**
 * A service worker that adds the headers, for hosts that send none. It is asked for: by `?isolate` in the address, or by the
 * button that is there where the page is not isolated. From then on it isolates each visit.
 */

export const isIsolating = signal(false);

export const canIsolate = !crossOriginIsolated && window.isSecureContext && "serviceWorker" in navigator;

/** Where the address asks for it. */
export async function isolateIfAsked(): Promise<void> {
  if (canIsolate && new URLSearchParams(location.search).has("isolate")) await isolate();
}

/** Adds the headers from now on, and loads the page again. */
export async function isolate(): Promise<void> {
  isIsolating.value = true;
  try {
    await navigator.serviceWorker.register("./isolation.js");
    await navigator.serviceWorker.ready;
    // A page that it has served, and that is not isolated all the same, is not helped by another look.
    if (sessionStorage.getItem(TRIED) !== null) {
      throw new Error("The service worker runs, and the page is not isolated: this engine does not take its headers.");
    }
    sessionStorage.setItem(TRIED, "yes");
    location.reload();
  } catch (error) {
    isIsolating.value = false;
    sayError("isolation", error, "Serve the page with the two headers instead.");
  }
}

const TRIED = "dmabuf-isolation-tried";
