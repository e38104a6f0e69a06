// Charts of a page: each element marked data-chart is drawn from the table that its attribute names, so that the figures
// are there once, and for everybody.
import uPlot from "uplot";

const day = 24 * 60 * 60;

function readTable(table) {
  const heads = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
  const columns = heads.map(() => []);
  for (const row of table.tBodies[0].rows) {
    columns[0].push(Date.parse(row.cells[0].querySelector("time").dateTime) / 1000);
    for (let i = 1; i < heads.length; i++) {
      const value = row.cells[i].dataset.value;
      columns[i].push(value === undefined || value === "" ? null : Number(value));
    }
  }
  return { heads, columns };
}

function colours(element) {
  const style = getComputedStyle(element);
  const read = (name) => style.getPropertyValue(name).trim();
  return { series: [read("--chart-1"), read("--chart-2"), read("--chart-3"), read("--chart-4")], grid: read("--line"), ink: read("--soft") };
}

// alpha makes a fill of a #rrggbb colour.
const alpha = (colour, share) => colour + Math.round(share * 255).toString(16).padStart(2, "0");

function options(element, heads, columns, width) {
  const { series, grid, ink } = colours(element);
  const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
  const unit = element.dataset.unit ?? "";
  const top = element.dataset.max ? Number(element.dataset.max) : undefined;
  const font = "12px system-ui, sans-serif";
  const axis = { stroke: ink, font, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
  return {
    width,
    height: Number(element.dataset.height ?? 180),
    padding: [12, 22, 0, 0],
    cursor: { y: false, points: { size: 7 } },
    legend: { live: true },
    scales: {
      x: { time: true, range: (_, low, high) => (low === high ? [low - day, high + day] : [low, high]) },
      y: { range: (_, low, high) => [0, top ?? (high > 0 ? high * 1.1 : 1)] },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 30, space: 70, values: [[day, "{D} {MMM}", null, null, null, null, null, null, 1]] },
      { ...axis, size: 52, space: 32, values: (_, ticks) => ticks.map((tick) => unit + compact.format(tick)) },
    ],
    series: [
      { label: heads[0], value: (_, value) => (value === null ? "" : new Date(value * 1000).toISOString().slice(0, 10)) },
      ...heads.slice(1).map((label, i) => ({
        label, stroke: series[i % series.length], width: 2, fill: heads.length === 2 ? alpha(series[0], 0.12) : undefined,
        points: { show: columns[0].length < 3, size: 6 },
        paths: element.dataset.steps === undefined ? undefined : uPlot.paths.stepped({ align: 1 }),
        value: (_, value) => (value === null ? "" : unit + value.toLocaleString("en")),
      })),
    ],
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
  };
}

function draw(element) {
  const table = document.getElementById(element.dataset.chart);
  if (!table || table.tBodies[0].rows.length === 0) return;
  const { heads, columns } = readTable(table);
  let chart;
  const make = () => {
    chart?.destroy();
    chart = new uPlot(options(element, heads, columns, element.clientWidth), columns, element);
  };
  make();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", make);
  new ResizeObserver(() => {
    if (element.isConnected && element.clientWidth !== chart.width) chart.setSize({ width: element.clientWidth, height: chart.height });
  }).observe(element);
}

const drawn = new WeakSet();
function drawAll(root) {
  for (const element of root.querySelectorAll("[data-chart]")) {
    if (drawn.has(element)) continue;
    drawn.add(element);
    draw(element);
  }
}

drawAll(document);
document.addEventListener("htmx:afterSettle", () => drawAll(document));
