/** Which module begins each stack that the library takes, as its place ends in its folder. */
const FIRST = /^(.*)host[/\\]stack\.(?:js|ts):\d+:\d+$/;

/** A frame's file, line and column, as engines write them. */
const POSITION = /(?:\(|@|\bat (?:async )?)([^()@]+:\d+:\d+)\)?$/;

/**
 * Where in a program a call was made: the first place of a stack that is not in the library, as `/app/detector.js:88:21`;
 * "" if that cannot be told, as in a bundle.
 */
export function placeIn(stack: string | undefined): string {
  const places = (stack ?? "").split("\n").flatMap((line) => POSITION.exec(line)?.[1] ?? []);
  const library = FIRST.exec(places[0] ?? "")?.[1];
  if (library === undefined) return "";
  return (
    places.find((place) => !place.startsWith(library) && !place.startsWith("node:"))?.replace(/^file:\/\//, "") ?? ""
  );
}
