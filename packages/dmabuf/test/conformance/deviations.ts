/**
 * Where the library is different from the kernel on purpose: the case and the reason. A test of that case shows what it
 * does instead.
 *
 * Not listed is what merely says the same in JavaScript's way: an error's `code` for a negative number, "signaled" and
 * "timed-out" for the time that is left, a rejection with the abort's reason for an interrupted call, a `RangeError`
 * where the kernel stops the machine.
 */
export const DEVIATIONS: Readonly<Record<string, string>> = {
  "FEN-31":
    "Two objects that stand for one fence in shared memory are the same fence: each agent has an object of its own.",
  "FEN-38":
    "The kernel stores even an error that it reports as wrong or late. Here it is dropped, so that an error is always an errno, and never changes once others may have read it.",
  "DBF-16":
    "Calls have names, not numbers: one that does not exist cannot be made. An unknown kind of access is a TypeError.",
  "HEP-05":
    "There is no descriptor that could be of another kind: what is no heap has no such call; of a closed domain it is EBADF.",
  "HEP-08": "An allocation gives an object, so there is no field for a descriptor that could be filled in already.",
  "HEP-10": "Calls have names, not numbers: one that does not exist cannot be made.",
  "SYF-03":
    "There is no descriptor that could be of another kind: a handle of something else is EINVAL, and a closed timeline EBADF.",
  "SYF-10":
    "What is no sync file is a TypeError and a closed one EBADF, as everywhere; ENOENT says that a number is no descriptor.",
  "SYF-11": "A merge has no flags and no reserved fields that could be wrong.",
  "SYF-15": "The caller brings no room for the fences: info() always tells of all of them.",
  "SYF-17": "info() has no flags and no reserved fields that could be wrong.",
  "SYF-18": "Calls have names, not numbers: one that does not exist cannot be made.",
  "SYF-25": "A deadline has no reserved field that could be wrong; what is no time is a RangeError.",
  "SYO-01": "A syncobj is an object, not a number in a table: to close it twice does nothing, as everywhere.",
  "SYO-02": "There are no flag bits that could be unknown: options have names.",
  "SYO-03": "A closed syncobj is ENOENT for every call; there are no flags and no reserved fields that could be wrong.",
  "SYO-04": "What is no sync file is a TypeError and a closed one EBADF, as everywhere; there are no flags.",
  "SYO-11": "Options have names, and one that does not exist is not looked at, as usual in JavaScript.",
  "SYO-12": "The calls have no reserved fields and no flag bits that could be wrong.",
  "SYO-33":
    "An event is a function, so anything else is EINVAL and there is no descriptor to be wrong; options have names.",
  "UDM-05":
    "A SharedArrayBuffer never shrinks, which is what one seal says, and cannot be made read-only, which is what the other asks about.",
  "UDM-08":
    "The storage is plain data, which agents use without asking the exporter: the bare calls are not counted. What must be paired is access(), whose end is its disposal.",
  "UDM-09":
    "A mapping is the memory itself, and JavaScript has no copy on write: a caller that wants its own memory calls copy(), which is counted.",
};
