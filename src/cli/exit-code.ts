/** What the process answers its caller; in docs/operations.md for operators. */
export const EXIT = {
  ok: 0,
  /** What was asked for did not succeed. */
  failed: 1,
  /** The command line or the settings are wrong; nothing was begun. */
  usage: 2,
  /** The service cannot begin: address taken, data directory locked or not writable. */
  cannotStart: 3,
  /** The drain took longer than drainTimeoutMs. Nothing is lost: the rest goes on at next start. */
  drainTimedOut: 4,
  /** A fault of ours (EX_SOFTWARE of sysexits.h). */
  fault: 70,
} as const
