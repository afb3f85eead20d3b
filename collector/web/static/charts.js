// Charts: the values at a time, read from the table below, and another stretch of time by dragging or by keys.

const AREA = 1000; // the plot is so wide and so high, however it is stretched
const HEIGHT = 160;
const DRAGGED_MIN = 1; // percent of the width: less is a click
const SVG = "http://www.w3.org/2000/svg";

let at = null; // what is pointed at: { plot, x } with x in percent
let from = null; // where a choice of time began, in percent

// --- pointing at a time -----------------------------------------------------------------------------------------------

const table = (plot) => plot.closest("figure").querySelector(".values table");

function nearest(plot, x) {
  const rows = [...table(plot).tBodies[0].rows];
  return rows.length ? rows.reduce((a, b) => (Math.abs(b.dataset.x - x) < Math.abs(a.dataset.x - x) ? b : a)) : null;
}

function clear() {
  for (const mark of document.querySelectorAll(".tip, .cross, .picked")) mark.remove();
}

function shape(plot, look, d) {
  const area = plot.querySelector(".area");
  const path = area.querySelector(`.${look}`) || document.createElementNS(SVG, "path");
  path.setAttribute("class", look);
  path.setAttribute("d", d);
  area.append(path);
}

function show(plot, x) {
  if (at?.plot !== plot) clear();
  const row = nearest(plot, x);
  at = { plot, x };
  if (!row) return;
  shape(plot, "cross", `M${row.dataset.x * 10},0V${HEIGHT}`);
  if (from !== null) shape(plot, "picked", `M${from * 10},0H${x * 10}V${HEIGHT}H${from * 10}Z`);
  const heads = table(plot).tHead.rows[0].cells;
  const tip = plot.querySelector(".tip") || document.createElement("ul");
  tip.className = "tip";
  tip.setAttribute("aria-live", "polite");
  const lines = [...row.cells].map((cell, n) => {
    const line = document.createElement("li");
    line.className = n ? heads[n].className : "when";
    line.textContent = n ? `${heads[n].textContent} ${cell.textContent}` : cell.textContent;
    return line;
  });
  tip.replaceChildren(...lines);
  plot.append(tip);
  const box = plot.querySelector(".area").getBoundingClientRect();
  const left = box.left - plot.getBoundingClientRect().left + (box.width * row.dataset.x) / 100;
  tip.style.left = `${row.dataset.x < 50 ? left + 8 : Math.max(0, left - 8 - tip.offsetWidth)}px`;
}

function leave() {
  clear();
  at = from = null;
}

function placeOf(event, plot) {
  const box = plot.querySelector(".area").getBoundingClientRect();
  return ((event.clientX - box.left) / box.width) * 100;
}

document.addEventListener("pointermove", (event) => {
  const plot = from === null ? event.target.closest?.(".plot") : at?.plot;
  if (!plot) return at && !at.plot.matches(":focus-visible") && leave();
  const x = placeOf(event, plot);
  if (from !== null) show(plot, Math.min(100, Math.max(0, x)));
  else if (x >= 0 && x <= 100) show(plot, x);
  else leave();
});

// --- another stretch of time ------------------------------------------------------------------------------------------

function go(start, end) {
  const url = new URL(location.href);
  url.searchParams.delete("range");
  url.searchParams.set("from", new Date(start).toISOString());
  url.searchParams.set("to", new Date(end).toISOString());
  history.pushState(null, "", url);
  leave();
  document.dispatchEvent(new Event("wanted"));
}

function timeAt(plot, x) {
  const [start, end] = [Number(plot.dataset.start), Number(plot.dataset.end)];
  return start + ((end - start) * x) / 100;
}

function zoom(plot, a, b) {
  const [start, end] = [timeAt(plot, Math.min(a, b)), timeAt(plot, Math.max(a, b))];
  if (end - start >= 60000) go(start, end);
  else leave();
}

function scale(plot, times) {
  const middle = timeAt(plot, at?.plot === plot ? at.x : 50);
  const half = Math.max(30000, (timeAt(plot, 100) - timeAt(plot, 0)) * times * 0.5);
  go(middle - half, Math.min(middle + half, Math.max(Date.now(), middle + 30000)));
}

document.addEventListener("pointerdown", (event) => {
  const plot = event.button === 0 && event.pointerType === "mouse" && event.target.closest?.(".plot");
  if (!plot) return;
  const x = placeOf(event, plot);
  if (x < 0 || x > 100) return;
  from = x;
  event.preventDefault(); // so that no text is selected meanwhile
});

document.addEventListener("pointerup", () => {
  if (from === null || !at) return;
  const [plot, a, b] = [at.plot, from, at.x];
  from = null;
  if (Math.abs(a - b) >= DRAGGED_MIN) zoom(plot, a, b);
});

document.addEventListener("keydown", (event) => {
  const plot = document.activeElement?.closest?.(".plot");
  if (!plot || event.ctrlKey || event.altKey || event.metaKey) return;
  const step = { ArrowLeft: 1, ArrowRight: -1 }[event.key]; // the newest row comes first
  if (step && table(plot)) {
    const row = nearest(plot, at?.plot === plot ? at.x : 100);
    const next = (step > 0 ? row?.nextElementSibling : row?.previousElementSibling) || row;
    if (event.shiftKey) from ??= Number(row.dataset.x);
    else from = null;
    if (from === null) plot.querySelector(".picked")?.remove();
    if (next) show(plot, Number(next.dataset.x));
  } else if (event.key === "Enter" && from !== null && at) zoom(plot, from, at.x);
  else if (event.key === "+") scale(plot, 0.5);
  else if (event.key === "-") scale(plot, 2);
  else if (event.key === "Escape") leave();
  else return;
  event.preventDefault();
});

document.addEventListener("focusout", (event) => {
  if (event.target.closest?.(".plot") && at) leave();
});

// What was pointed at stays so when the page's values change below it.
document.addEventListener("shown", () => {
  if (at && document.contains(at.plot) && table(at.plot)) show(at.plot, at.x);
});
