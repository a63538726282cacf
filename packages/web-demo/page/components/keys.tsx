import { areKeysOn, SHORTCUTS } from "../state/keys.js";

/** The letters that do something, and the switch that ends it. */
export function Keys() {
  return (
    <details class="block about" data-mark="keys">
      <summary>Keys</summary>
      <dl class="shortcuts">
        {SHORTCUTS.map(({ key, does }) => (
          <div key={key}>
            <dt>
              <kbd>{key.toUpperCase()}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <label class="check">
        <input
          type="checkbox"
          checked={areKeysOn.value}
          onChange={({ currentTarget }) => (areKeysOn.value = currentTarget.checked)}
        />
        These keys are on
      </label>
      <p class="small quiet">Everything is reached by Tab, too, and done by Enter or Space.</p>
    </details>
  );
}
