import { clear, troubles, type Place } from "../state/troubles.js";

/** What did not work, where it did not, with what helps. */
export function TroubleNotice({ place }: { place: Place }) {
  const trouble = troubles.value[place];
  return (
    <div role="alert" class="alert" data-mark={`trouble-${place}`}>
      {trouble !== undefined && (
        <div class="notice warn">
          <p>
            <strong>{trouble.what}</strong>
            {trouble.remedy !== undefined && <> {trouble.remedy}</>}
          </p>
          <button type="button" class="button" onClick={() => clear(place)} aria-label="Close this message">
            ✕
          </button>
        </div>
      )}
    </div>
  );
}
