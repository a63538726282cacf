/** A number that matters, in a list of them. */
export function Figure({
  name,
  value,
  note,
  isBad = false,
}: {
  name: string;
  value: string;
  note: string;
  isBad?: boolean;
}) {
  return (
    <div class="figure">
      <dt>{name}</dt>
      <dd>
        <span class="figure-value number">{value}</span>
        <span class={isBad ? "small bad number" : "small quiet number"}>{note}</span>
      </dd>
    </div>
  );
}
