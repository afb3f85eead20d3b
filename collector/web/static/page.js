// Keeps an open page up to date. Every page is complete without this, and nothing is fetched from any other host.

const REFRESH_MS_MIN = 1000; // the server tells no more often either
const REST = 10; // after a refresh, ten times as long a rest as it took
const REFRESH_MS_MAX = 30000; // silence is no event, so look from time to time
const LISTEN_AGAIN_MS = 15000; // when as many pages listen as are let in
const WORD_MS_MAX = 40000; // the server says "here" every 15 s
const LOST_MS = 4000; // a connection that is back this soon was never lost
const FADES_MAX = 400; // when more than that changed, nothing stands out by fading
const NBSP = "\u00a0";

const updated = document.getElementById("updated");
const part = () => document.getElementById("live");
const [subject, subjectId] = (document.body.dataset.listens || "").split(" ");

let heard = performance.now(); // when the server last said anything
let shown = heard; // when the part that is on the page came
let lost = null; // since when there is no connection

// --- asking for the part of the page that changes ---------------------------------------------------------------------

let timer = 0;
let busy = false;
let again = false;
let earliest = 0;
let hurry = false; // a person waits for it

function wish() {
  if (document.hidden || !part()) return;
  if (busy) again = true;
  else if (!timer) timer = setTimeout(refresh, Math.max(0, earliest - performance.now()));
}

// What a person asked for does not rest: neither behind what was asked for before, nor behind a rest that has begun.
function want() {
  clearTimeout(timer);
  timer = earliest = 0;
  hurry = busy;
  wish();
}

async function refresh() {
  timer = 0;
  busy = true;
  const began = performance.now();
  try {
    const url = new URL(location.href);
    url.searchParams.set("fragment", "1");
    const answer = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(WORD_MS_MAX) });
    if (answer.status >= 500) throw new Error(`the server answers ${answer.status}`);
    if (answer.redirected) return location.reload(); // to the log-in: the session is over
    show(await answer.text());
    heard = shown = performance.now();
    lost = null;
  } catch {
    lost ??= Date.now();
  }
  const took = performance.now() - began;
  earliest = hurry ? 0 : performance.now() + Math.max(REFRESH_MS_MIN - took, took * REST);
  hurry = false;
  busy = false;
  if (again) {
    again = false;
    wish();
  }
  tell();
}

function show(text) {
  const fresh = new DOMParser().parseFromString(text, "text/html").getElementById("live");
  if (!fresh) return;
  const changed = new Set();
  morph(part(), fresh, changed);
  document.title = `${fresh.dataset.title} · Watchkeeper`;
  if (changed.size <= FADES_MAX) fade(changed);
  document.dispatchEvent(new Event("shown"));
}

// --- putting it in its place: only what differs is touched, so focus, selection and open details stay -----------------

function morph(old, fresh, changed) {
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const { name } of [...old.attributes]) if (name !== "open" && !fresh.hasAttribute(name)) old.removeAttribute(name);
  const keyed = new Map();
  for (const child of old.children) if (child.id) keyed.set(child.id, child);
  let place = old.firstChild;
  for (const next of [...fresh.childNodes]) {
    const twin = next.id ? keyed.get(next.id) : place && !place.id && place.nodeName === next.nodeName ? place : null;
    if (!twin) {
      old.insertBefore(next, place);
    } else {
      if (twin === place) place = place.nextSibling;
      else old.insertBefore(twin, place);
      if (twin.nodeType === Node.ELEMENT_NODE) morph(twin, next, changed);
      else if (twin.data !== next.data) {
        twin.data = next.data;
        changed.add(old);
      }
    }
  }
  while (place) {
    const gone = place;
    place = place.nextSibling;
    gone.remove();
  }
}

function fade(changed) {
  const cells = new Set();
  for (const element of changed) {
    const cell = element.closest("td:not(.seen)");
    if (cell && !element.matches("time, .soft") && !cell.closest("details")) cells.add(cell);
  }
  for (const cell of cells) cell.classList.remove("changed");
  void document.body.offsetWidth; // so that a fade which still goes on begins anew
  for (const cell of cells) cell.classList.add("changed");
}

// --- being told -------------------------------------------------------------------------------------------------------

let source = null;

function listen() {
  source?.close();
  source = new EventSource("/api/monitoring/events");
  source.addEventListener("open", () => {
    heard = performance.now();
    wish(); // something may have happened before we listened
  });
  source.addEventListener("here", () => {
    heard = performance.now();
  });
  source.addEventListener("changed", (event) => {
    heard = performance.now();
    const { hosts, incidents } = JSON.parse(event.data);
    const ours = !hosts || hosts.includes(Number(subjectId));
    if (subject === "all" || incidents || (subject === "host" && ours)) wish();
  });
  source.addEventListener("work", () => {
    heard = performance.now();
    if (subject === "work") wish();
  });
  source.addEventListener("error", () => {
    if (source.readyState !== EventSource.CLOSED) lost ??= Date.now(); // the browser tries again by itself
    else {
      wish();
      setTimeout(listen, LISTEN_AGAIN_MS);
    }
  });
}

// --- saying how old it all is -----------------------------------------------------------------------------------------

function ago(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 1) return "now";
  return seconds < 120 ? `${seconds}${NBSP}s ago` : `${Math.floor(seconds / 60)}${NBSP}min ago`;
}

function tell() {
  const cut = lost !== null && Date.now() - lost > LOST_MS;
  document.body.classList.toggle("lost-touch", cut);
  updated.classList.toggle("lost", cut);
  if (!cut) {
    updated.removeAttribute("role");
    updated.textContent = `updated ${ago(performance.now() - heard)}`;
  } else if (!updated.hasAttribute("role")) {
    updated.setAttribute("role", "alert");
    const at = new Date(lost).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    updated.textContent = `Connection lost since ${at}. What you see may be old.`;
  }
}

function age() {
  const now = Number(part().dataset.now) + performance.now() - shown;
  for (const time of part().querySelectorAll(".seen time")) {
    const ms = now - Date.parse(time.dateTime);
    if (ms < 7200000) time.textContent = ago(ms);
  }
}

// What is said in words, such as "4 s ago", says the exact time to whoever points at it.
document.addEventListener("mouseover", (event) => {
  const time = event.target.closest?.("time[datetime]:not([title])");
  const how = { timeZone: part()?.dataset.zone, timeZoneName: "short" };
  if (time) time.title = new Date(time.dateTime).toLocaleString([], how);
});

function everySecond() {
  if (document.hidden) return;
  if (performance.now() - heard > WORD_MS_MAX && source?.readyState === EventSource.OPEN) {
    lost ??= Date.now();
    listen();
  }
  if (performance.now() - shown > REFRESH_MS_MAX) wish();
  tell();
  age();
}

// --- the filter: the page follows while one types ---------------------------------------------------------------------

function follow(form) {
  let typing = 0;
  const go = () => {
    const asked = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
    const path = new URL(form.action).pathname;
    history.replaceState(null, "", String(asked) ? `${path}?${asked}` : path);
    want();
  };
  form.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(go, 200);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    go();
  });
  form.querySelector("button").hidden = true;
}

// --- begin ------------------------------------------------------------------------------------------------------------

// The server draws times and axes in the reader's zone, which only the browser knows.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const told = document.cookie.split("; ").includes(`zone=${zone}`);
if (!told) document.cookie = `zone=${zone}; path=/; max-age=31536000; samesite=lax`;
if (subject && !told && part().dataset.zone !== zone) wish();

const form = document.getElementById("ask");
if (form) follow(form);
document.addEventListener("wanted", () => { // another address: another stretch of time, say
  want();
});
addEventListener("popstate", () => document.dispatchEvent(new Event("wanted")));
if (subject) {
  if (subject !== "time") listen(); // the public page looks from time to time and is told nothing
  setInterval(everySecond, 1000);
  document.addEventListener("visibilitychange", wish);
}
