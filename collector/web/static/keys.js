// What the keyboard can do besides going from link to link, and ticking several things at once.

const KEYS = [
  ["?", "show these keys"],
  ["/", "go to the filter, or from a page without one to that of hosts"],
  ["j, k", "to the next, to the one before, in a list"],
  ["x", "tick it"],
  ["g, then o a i v d s r n", "overview, alerts, incidents, services, advice, silences, rules, notices"],
  ["← →", "on a chart: the values before and after"],
  ["Shift ← →, Enter", "on a chart: choose a stretch of time, show it alone"],
  ["+ -", "on a chart: closer, wider"],
  ["Page ↑ ↓", "on a chart: earlier, later"],
  ["Esc", "let go"],
];
const PLACES = {
  o: "/", a: "/alerts", i: "/incidents", v: "/services", d: "/advice", s: "/silences", r: "/rules", n: "/notices",
};
const GO_MS = 1500; // so long after g a letter is a place

let goes = 0; // when g was pressed

function help() {
  const old = document.querySelector("dialog.keys");
  if (old) return old.close();
  const dialog = document.createElement("dialog");
  dialog.className = "keys";
  dialog.setAttribute("aria-label", "Keys");
  const list = document.createElement("dl");
  for (const [keys, what] of KEYS) {
    const [term, said] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = keys;
    said.textContent = what;
    list.append(term, said);
  }
  const close = document.createElement("button");
  close.textContent = "Close";
  close.addEventListener("click", () => dialog.close());
  dialog.append(list, close);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

function step(by) {
  const links = [...document.querySelectorAll("#live tbody tr")]
    .map((row) => row.querySelector("th a, td a.go, a"))
    .filter((link) => link && link.offsetParent);
  const row = document.activeElement?.closest("tr");
  const here = row ? links.findIndex((link) => row.contains(link)) : by > 0 ? -1 : links.length;
  links[Math.min(links.length - 1, Math.max(0, here + by))]?.focus();
}

function filter() {
  const field = document.querySelector("#ask input");
  if (field) field.focus();
  else location.assign("/#find");
}

function tick() {
  document.activeElement?.closest("tr")?.querySelector("input[type=checkbox]")?.click();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.closest?.("input:not([type=checkbox]), textarea, select, dialog") && event.key !== "?") return;
  if (event.target.closest?.("input:not([type=checkbox]), textarea")) return;
  const place = performance.now() - goes < GO_MS && PLACES[event.key];
  goes = event.key === "g" ? performance.now() : 0;
  if (place) location.assign(place);
  else if (event.key === "?") help();
  else if (event.key === "/") filter();
  else if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
  else if (event.key === "x") tick();
  else return;
  event.preventDefault();
});

// --- ticking ----------------------------------------------------------------------------------------------------------

const said = document.getElementById("ticked");

function count() {
  const ticked = document.querySelectorAll("#live input[form=bulk]:checked").length;
  said.textContent = ticked ? `${ticked} ticked:` : "Tick some, then:";
}

if (said) {
  const all = document.createElement("button");
  all.type = "button";
  all.className = "quiet";
  all.textContent = "Tick all";
  all.addEventListener("click", () => {
    const boxes = [...document.querySelectorAll("#live input[form=bulk]")];
    const missing = boxes.some((box) => !box.checked);
    for (const box of boxes) box.checked = missing;
    count();
  });
  said.before(all);
  document.addEventListener("change", count);
  document.addEventListener("shown", count);
}
