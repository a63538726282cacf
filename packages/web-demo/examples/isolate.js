// isolate.js: for a page whose host sends no headers; loaded before all other scripts
if (!globalThis.crossOriginIsolated && "serviceWorker" in navigator) {
  await navigator.serviceWorker.register("/isolation.js");
  await navigator.serviceWorker.ready;
  // Once: where that does not help, the page stays as it is.
  if (sessionStorage.getItem("isolation") === null) {
    sessionStorage.setItem("isolation", "tried");
    location.reload();
  }
}
