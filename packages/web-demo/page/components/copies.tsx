import { copied, madeRate } from "../state/copied.js";
import type { Making } from "../shared/messages.js";
import { feed, handOver } from "../state/session.js";
import { bytesText, rateText } from "./text.js";

/** How many bytes were copied for each byte of a picture: the number that this page is about. */
export function Copies() {
  const { ratio, copiedBytes, madeBytes, by } = copied.value;
  const making = feed.value?.about.making ?? "decoded";
  return (
    <section class="card copies" aria-labelledby="copies-title">
      <h2 id="copies-title">Copied so far</h2>
      <p class="figure-line">
        <output class="figure-value number" data-mark="ratio" aria-describedby="copies-note">
          {ratio === undefined ? "–" : `${ratio.toFixed(2)} ×`}
        </output>{" "}
        <span class="quiet">the frames {making}</span>
      </p>
      <p class="small quiet number" id="copies-note">
        {bytesText(copiedBytes)} copied of {bytesText(madeBytes)}, at {rateText(madeRate.value)} pictures a second
      </p>
      {by.length > 0 && (
        <ul class="small lines" aria-label="Who has copied, and for what">
          {by.map(({ agent, why, ratio: part }) => (
            <li key={`${agent} ${why}`}>
              <span class="number">{part.toFixed(2)} ×</span> <strong>{agent}</strong> <code>{why}</code>
            </li>
          ))}
        </ul>
      )}
      <p class="small quiet">{explanation(handOver.value === "copies", ratio, by.length, making)}</p>
    </section>
  );
}

function explanation(isCopies: boolean, ratio: number | undefined, kinds: number, making: Making): string {
  if (isCopies) {
    return "Each lane gets a copy of its own by postMessage. The motion needs one more, into its module, that no one counts here.";
  }
  if (ratio === undefined) return "Bytes that the library has copied, in all agents, for each byte of a frame.";
  if (making === "painted" || making === "read") {
    const rest = kinds === 0 ? "and no lane copies them" : "and what copies them is listed: its lane says why";
    return `The pictures are ${making} into shared memory itself, ${rest}.`;
  }
  if (kinds > 1) return "A decoder gives its pictures only as a copy. What adds to it is listed: its lane says why.";
  return "A decoder gives its pictures only as a copy. However many lanes look, there is no other.";
}
