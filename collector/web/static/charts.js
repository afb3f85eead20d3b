// Charts: the values at a time, read from the table below, and another stretch of time by dragging, by keys, by fingers.

const HEIGHT = 160; // the plot is so high, and a thousand wide, however it is stretched
const DRAGGED_MIN = 1; // percent of the width: less is a click
const HELD_MS = 350; // a finger that rests so long points at a time
const RESTS_PX = 8; // a finger that moves less rests
const APART_MIN = 5; // percent of the width: fingers closer than that are taken to be so far apart
const [SHORTEST_MS, LONGEST_MS] = [60000, 400 * 86400000]; // the server draws nothing shorter or longer
const PLOT = ".plot[data-start]";
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
  const beside = row.dataset.x < 50 ? left + 8 : left - 8 - tip.offsetWidth;
  tip.style.left = `${Math.max(0, Math.min(beside, plot.clientWidth - tip.offsetWidth))}px`;
}

function leave() {
  clear();
  at = from = null;
}

function placeOf(event, plot) {
  const box = plot.querySelector(".area").getBoundingClientRect();
  return ((event.clientX - box.left) / box.width) * 100;
}

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
  if (end - start >= SHORTEST_MS) go(start, end);
  else leave();
}

// From a to b in percent of what is shown now; nothing that is still to come, and no longer than the server draws.
function move(plot, a, b) {
  const [start, end] = [timeAt(plot, a), timeAt(plot, b)];
  const span = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, end - start));
  const until = Math.min((start + end + span) / 2, Math.max(Date.now(), Number(plot.dataset.end)));
  go(until - span, until);
}

function scale(plot, times) {
  const middle = at?.plot === plot ? at.x : 50;
  move(plot, middle - 50 * times, middle + 50 * times);
}

// --- a mouse: points, drags to choose, drags with Shift to move ---------------------------------------------------------

function point(event) {
  const plot = from === null ? event.target.closest?.(PLOT) : at?.plot;
  if (!plot) return at && !at.plot.matches(":focus-visible") && leave();
  const x = placeOf(event, plot);
  if (from !== null) show(plot, Math.min(100, Math.max(0, x)));
  else if (x >= 0 && x <= 100) show(plot, x);
  else leave();
}

function choose() {
  if (from === null || !at) return;
  const [plot, a, b] = [at.plot, from, at.x];
  from = null;
  if (Math.abs(a - b) >= DRAGGED_MIN) zoom(plot, a, b);
}

// --- fingers: one moves through time, two draw it closer or wider, one that rests or taps points at a time --------------

let hand = null; // the plot that is touched, and its fingers: at which x in percent, and upon which of what is shown

function touch(event, plot) {
  if (hand?.plot !== plot) drop();
  hand ??= { plot, fingers: new Map(), moved: false, points: false, timer: 0 };
  const x = placeOf(event, plot);
  const [a, b] = reach();
  hand.fingers.set(event.pointerId, { x, upon: a + ((b - a) * x) / 100 });
  clearTimeout(hand.timer);
  hand.points = false;
  if (hand.fingers.size > 1) leave();
  else if (event.pointerType !== "mouse") hand.timer = setTimeout(rest, HELD_MS);
}

function rest() {
  hand.points = true;
  show(hand.plot, [...hand.fingers.values()][0].x);
}

function slide(event) {
  const finger = hand.fingers.get(event.pointerId);
  if (!finger) return;
  finger.x = placeOf(event, hand.plot);
  if (hand.points) return show(hand.plot, Math.min(100, Math.max(0, finger.x)));
  const wide = hand.plot.querySelector(".area").getBoundingClientRect().width;
  if (!hand.moved && (Math.abs(finger.x - finger.upon) * wide) / 100 < RESTS_PX) return;
  clearTimeout(hand.timer);
  leave();
  hand.moved = true;
  look(hand.plot, ...reach());
}

// From where to where, in percent of what is shown, the fingers have drawn the plot.
function reach() {
  const [a, b] = hand.fingers.values();
  if (!a) return [0, 100];
  if (!b) return [a.upon - a.x, 100 + a.upon - a.x];
  const apart = (one, other) => Math.max(APART_MIN, Math.abs(one - other));
  const times = apart(a.upon, b.upon) / apart(a.x, b.x);
  const start = (a.upon + b.upon - (a.x + b.x) * times) / 2;
  return [start, start + 100 * times];
}

function lift(event) {
  if (!hand.fingers.has(event.pointerId)) return;
  const { plot, moved, points, fingers } = hand;
  const [a, b] = reach();
  clearTimeout(hand.timer);
  hand = null;
  if (moved) move(plot, a, b); // it looks as it was left until the server has drawn it
  else if (!points && fingers.size === 1) show(plot, fingers.get(event.pointerId).x);
}

function drop() {
  if (!hand) return;
  clearTimeout(hand.timer);
  look(hand.plot, 0, 100);
  hand = null;
}

// As if the plot showed from a to b, in percent of what it shows.
function look(plot, a, b) {
  plot.classList.toggle("slides", a !== 0 || b !== 100);
  plot.querySelector(".area").setAttribute("viewBox", `${a * 10} 0 ${(b - a) * 10} ${HEIGHT}`);
}

document.addEventListener("pointerdown", (event) => {
  const plot = event.target.closest?.(PLOT);
  if (!plot || event.button !== 0) return event.pointerType !== "mouse" && at && leave();
  const x = placeOf(event, plot);
  if (x < 0 || x > 100) return;
  event.preventDefault(); // so that no text is selected meanwhile
  if (event.pointerType === "mouse" && !event.shiftKey) from = x;
  else touch(event, plot);
});
document.addEventListener("pointermove", (event) => {
  if (hand) slide(event);
  else if (event.pointerType === "mouse") point(event);
});
document.addEventListener("pointerup", (event) => (hand ? lift(event) : choose()));
document.addEventListener("pointercancel", drop); // the finger scrolls the page instead
document.addEventListener("contextmenu", (event) => hand && event.preventDefault());

document.addEventListener("keydown", (event) => {
  const plot = document.activeElement?.closest?.(PLOT);
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
  else if (event.key === "PageUp") move(plot, -50, 50);
  else if (event.key === "PageDown") move(plot, 50, 150);
  else if (event.key === "Escape") leave();
  else return;
  event.preventDefault();
});

document.addEventListener("focusout", (event) => {
  if (event.target.closest?.(PLOT) && at) leave();
});

// What was pointed at stays so when the page's values change below it.
document.addEventListener("shown", () => {
  if (at && document.contains(at.plot) && table(at.plot)) show(at.plot, at.x);
});
