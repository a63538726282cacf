import { FailingLibrary } from "../process/failing-library.js";

/** Between all suites of a run in the lab and the C library: this comes before any of them makes a system call. */
export const failingLibrary = FailingLibrary.install();
