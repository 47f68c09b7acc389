// Charts as Slack has them: bars, lines, areas and pies, drawn as SVG; the same numbers as a table for whoever cannot see them.

import { h } from "./dom.js";
import { t } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDE = 520, NARROW = 330, HEIGHT = 240, LEFT = 44, BOTTOM = 62, TOP = 8;

const svg = (tag, attributes, ...children) => {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.flat());
  return node;
};

/** Render a chart with its legend. */
export function chart(one, title) {
  // As many units as there is room for, so that words keep their size on a telephone.
  const width = innerWidth < 600 ? NARROW : WIDE;
  const drawn = one.type === "pie" ? pie(one.segments, width) : axes(one, width);
  const names = one.type === "pie" ? one.segments.map((each) => `${each.label} (${each.value})`) : one.series.map((each) => each.name);
  const legend = names.length > 1 || one.type === "pie" ? h("ul", { class: "legend" }, names.map((name, n) => h("li", {}, h("span", { class: `swatch series-${n}` }), name))) : null;
  return h("div", { class: "chart" },
    svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": title }, drawn), legend, h("div", { class: "sr" }, numbers(one)));
}

/** Return steps of an axis from nought, or below, to the largest value. */
function steps(values) {
  const low = Math.min(0, ...values), high = Math.max(...values, 0) || 1;
  const rough = (high - low) / 4;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * unit).find((each) => each >= rough);
  const found = [];
  for (let at = Math.floor(low / step) * step; at < high + step; at += step) found.push(Number(at.toFixed(10)));
  return found;
}

function axes({ type, series, axis_config: axis }, width) {
  const values = series.flatMap((one) => one.data.map((point) => point.value));
  const ticks = steps(values);
  const [low, high] = [ticks[0], ticks.at(-1)];
  const y = (value) => TOP + ((high - value) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const band = (width - LEFT - 8) / axis.categories.length;
  const x = (n) => LEFT + band * (n + 0.5);
  const at = (one, label) => one.data.find((point) => point.label === label).value;
  const grid = ticks.flatMap((tick) => [
    svg("line", { class: "grid", x1: LEFT, x2: width - 8, y1: y(tick), y2: y(tick) }),
    svg("text", { class: "tick", x: LEFT - 6, y: y(tick) + 4, "text-anchor": "end" }, String(tick))]);
  const slanted = band < 62;
  const labels = axis.categories.map((name, n) => svg("text", { class: "tick", "text-anchor": slanted ? "end" : "middle",
    transform: `translate(${x(n)} ${HEIGHT - BOTTOM + 14})${slanted ? " rotate(-30)" : ""}` }, name.length > 13 && slanted ? `${name.slice(0, 12)}…` : name));
  const titles = [axis.y_label ? svg("text", { class: "tick", transform: `translate(11 ${(HEIGHT - BOTTOM) / 2}) rotate(-90)`, "text-anchor": "middle" }, axis.y_label) : null,
    axis.x_label ? svg("text", { class: "tick", x: width - 8, y: HEIGHT - 3, "text-anchor": "end" }, axis.x_label) : null].filter(Boolean);
  const marks = series.flatMap((one, n) => {
    const points = axis.categories.map((name, at_) => [x(at_), y(at(one, name))]);
    if (type === "bar") {
      const thick = (band * 0.72) / series.length;
      return points.map(([middle, top]) => svg("rect", { class: `series-${n}`, x: middle - band * 0.36 + thick * n, width: thick, y: Math.min(top, y(0)), height: Math.abs(y(0) - top), rx: 2 }));
    }
    const line = points.map(([px, py]) => `${px},${py}`).join(" ");
    const fill = type === "area" ? [svg("polygon", { class: `area series-${n}`, points: `${points[0][0]},${y(0)} ${line} ${points.at(-1)[0]},${y(0)}` })] : [];
    return [...fill, svg("polyline", { class: `line series-${n}`, points: line }), ...points.map(([px, py]) => svg("circle", { class: `series-${n}`, cx: px, cy: py, r: 3 }))];
  });
  return [...grid, ...labels, ...titles, ...marks];
}

function pie(segments, width) {
  const whole = segments.reduce((sum, one) => sum + one.value, 0);
  const [middle, centre, radius] = [width / 2, HEIGHT / 2, HEIGHT / 2 - 8];
  const spot = (share) => [middle + radius * Math.sin(2 * Math.PI * share), centre - radius * Math.cos(2 * Math.PI * share)];
  let from = 0;
  return segments.map((one, n) => {
    const to = from + one.value / whole;
    const path = segments.length === 1 ? `M${middle} ${centre - radius} a${radius} ${radius} 0 1 1 -0.01 0z`
      : `M${middle} ${centre} L${spot(from).join(" ")} A${radius} ${radius} 0 ${to - from > 0.5 ? 1 : 0} 1 ${spot(to).join(" ")} Z`;
    from = to;
    return svg("path", { class: `series-${n}`, d: path });
  });
}

/** Return the chart's numbers as a table for screen readers. */
function numbers(one) {
  const [head, rows] = one.type === "pie" ? [[t("table"), ""], one.segments.map((each) => [each.label, each.value])]
    : [["", ...one.series.map((each) => each.name)], one.axis_config.categories.map((name) => [name, ...one.series.map((each) => each.data.find((point) => point.label === name).value)])];
  return h("table", {}, h("thead", {}, h("tr", {}, head.map((each) => h("th", { text: each || t("table") })))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map((each) => h("td", { text: String(each) }))))));
}
