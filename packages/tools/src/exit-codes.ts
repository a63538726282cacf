/** How the programs end: they are in each `--help` and in docs/command-line.md, and do not change. */
export const EXIT = {
  /** It is done. */
  OK: 0,
  /** Something failed at run time; the message says what, and which right is missing. */
  FAILED: 1,
  /** The command line is wrong, or does not say which of several domains is meant. */
  USAGE: 2,
  /** There is no domain, or nothing of that name in it. */
  NOTHING: 3,
  /** `explain` alone: something is stuck. */
  STUCK: 4,
  /** The reader of the output has gone, as `head` does: 128 and SIGPIPE, as of any program. */
  NO_READER: 141,
} as const;

/** What `--help` says of them. */
export const EXIT_CODES_HELP = `
Exit codes: 0 done; 1 failed; 2 wrong usage, or several domains and none named; 3 no domain, or nothing of that name;
4 something is stuck (explain); 128 and its number after a signal.`;
