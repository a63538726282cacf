/** Writes one object for programs, in lines that people can read as well. */
export function printJson(value: object): void {
  console.log(JSON.stringify(value, undefined, 2));
}

/** The same as one line, where one object follows another. */
export function printJsonLine(value: object): void {
  console.log(JSON.stringify(value));
}
