/** The preview's page. Sizes in pixels of the video, in which the jobs' news are told. */
export function previewPage({ width, height }: { width: number; height: number }): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>dmabuf demo</title>
<style>
  :root { color-scheme: dark; font: 15px/1.45 system-ui, sans-serif; background: #14171a; color: #e6e8ea; }
  body { margin: 0 auto; padding: 24px; max-width: 1240px; }
  h1 { font-size: 20px; margin: 0; }
  header p { margin: 2px 0 18px; color: #9aa4ad; }
  main { display: grid; grid-template-columns: minmax(0, 1fr) 260px; gap: 20px; align-items: start; }
  @media (max-width: 820px) { main { grid-template-columns: minmax(0, 1fr); } }
  .screen { position: relative; aspect-ratio: ${width} / ${height}; background: #000; border-radius: 6px; overflow: hidden; }
  .screen img, .screen svg { position: absolute; inset: 0; width: 100%; height: 100%; }
  #box { fill: none; stroke: #ffb454; stroke-width: 2; vector-effect: non-scaling-stroke; }
  section { background: #1d2226; border-radius: 6px; padding: 12px 14px; margin-bottom: 14px; }
  h2 { font-size: 13px; font-weight: 600; color: #9aa4ad; margin: 0 0 6px; }
  output { font-size: 22px; font-variant-numeric: tabular-nums; }
  small { display: block; color: #9aa4ad; min-height: 1.45em; font-variant-numeric: tabular-nums; }
  #bars { width: 100%; height: 90px; display: block; fill: #5cc8ff; }
  #thumbnails { display: grid; grid-template-columns: repeat(3, 1fr); gap: 6px; margin-top: 8px; }
  #thumbnails img { width: 100%; border-radius: 3px; display: block; }
</style>
<header>
  <h1>One video, five workers, no copy</h1>
  <p id="state">The decoder writes each frame into shared memory; all five read that same frame.</p>
</header>
<main>
  <div class="screen">
    <img src="/stream.mjpg" alt="The newest frame of the video">
    <svg viewBox="0 0 ${width} ${height}" aria-hidden="true"><rect id="box" visibility="hidden"/></svg>
  </div>
  <aside>
    <section><h2>Motion</h2><output id="area">–</output><small id="where"></small></section>
    <section><h2>Luma histogram</h2>
      <svg id="bars" viewBox="0 0 64 100" preserveAspectRatio="none" role="img" aria-label="Luma histogram"></svg>
      <small id="mean"></small></section>
    <section><h2>Thumbnails</h2><output id="count">0</output><div id="thumbnails"></div></section>
  </aside>
</main>
<script type="module">
  const at = (id) => document.getElementById(id);
  const show = {
    motion({ area, box, sequence }) {
      at("area").value = (area * 100).toFixed(1) + " %";
      at("where").textContent = "frame " + sequence + (box ? ": " + box.width + " × " + box.height + " at " + box.left + ", " + box.top : ": still");
      at("box").setAttribute("visibility", box ? "visible" : "hidden");
      if (!box) return;
      for (const [name, value] of [["x", box.left], ["y", box.top], ["width", box.width], ["height", box.height]])
        at("box").setAttribute(name, value);
    },
    histogram({ bins, mean }) {
      const most = Math.max(...bins, 1);
      at("bars").innerHTML = bins.map((bin, i) => {
        const tall = (100 * bin) / most;
        return '<rect x="' + i + '" y="' + (100 - tall) + '" width="0.85" height="' + tall + '"/>';
      }).join("");
      at("mean").textContent = "mean " + mean.toFixed(1);
    },
    thumbnails({ count, latest }) {
      if (at("count").value === String(count)) return;
      at("count").value = count;
      at("thumbnails").replaceChildren(...latest.map((name) => {
        const image = new Image();
        image.src = "/thumbnails/" + name;
        image.alt = name;
        return image;
      }));
    },
  };
  const events = new EventSource("/events");
  events.onmessage = ({ data }) => { const note = JSON.parse(data); show[note.kind](note); };
  const end = () => { events.close(); at("state").textContent = "The video has ended. The demo prints its figures in the terminal."; };
  events.addEventListener("end", end);
  events.onerror = end;
</script>
</html>
`;
}
