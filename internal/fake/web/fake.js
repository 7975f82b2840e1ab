"use strict";
// The page of the fake Garmin. It draws what the event stream of the control API
// tells, and its buttons call the control API.

const $ = (id) => document.getElementById(id);

// el makes an element. What comes from outside becomes text, never markup.
function el(tag, props = {}, ...children) {
  const e = Object.assign(document.createElement(tag), props);
  e.append(...children);
  return e;
}

// call sends a body as JSON, or a text as it is.
async function call(method, path, body) {
  const res = await fetch("control" + path, { method, body: body === undefined || typeof body === "string" ? body : JSON.stringify(body) });
  const v = await res.json();
  if (!res.ok) throw new Error(v.error);
  return v;
}

function fail(e) { $("message").textContent = e.message; }

// press carries out what a button says and shows why it failed.
async function press(f) {
  try {
    $("message").textContent = "";
    await f();
  } catch (e) {
    fail(e);
  }
}
const on = (id, f) => { $(id).onclick = () => press(f); };
function button(label, name, f) {
  return el("button", { type: "button", textContent: label, name, onclick: (e) => { e.stopPropagation(); press(f); } });
}
function cell(name, content, className = "") {
  const td = el("td", { className }, content);
  if (name) td.dataset.name = name;
  return td;
}
const clockTime = (t) => (t ? new Date(t).toLocaleTimeString() : "");
const pathOf = (id) => "/users/" + encodeURIComponent(id);

// fill draws a list and keeps the rows that have not changed: one that is replaced
// under the mouse loses its click, one under the keyboard its focus. With cells, a
// row that has changed keeps its cells that have not.
function fill(body, list, row, cells = false) {
  const old = new Map([...body.children].map((r) => [r.dataset.json, r]));
  const byKey = new Map([...body.children].map((r) => [r.dataset.key, r]));
  const next = list.map((v) => {
    const json = JSON.stringify(v), kept = old.get(json);
    if (kept) { old.delete(json); return kept; }
    let r = row(v);
    const before = cells && byKey.get(r.dataset.key);
    if (before) {
      [...r.cells].forEach((c, i) => { if (c.innerHTML !== before.cells[i].innerHTML) before.cells[i].replaceWith(c); });
      r = before;
    }
    r.dataset.json = json;
    return r;
  });
  const focus = body.contains(document.activeElement) ? document.activeElement : null;
  const again = focus && { row: focus.closest("[data-key]")?.dataset.key, name: focus.name };
  for (const r of [...body.children]) if (!next.includes(r)) r.remove();
  next.forEach((r, i) => { if (body.children[i] !== r) body.insertBefore(r, body.children[i] ?? null); });
  if (focus && document.activeElement !== focus && again.row) {
    const r = [...body.children].find((e) => e.dataset.key === again.row);
    (body.contains(focus) ? focus : r && [...r.querySelectorAll("button, input")].find((e) => e.name === again.name))?.focus({ preventScroll: true });
  }
}

// ---- The state ----

const mostUsers = 100;
let state;
let editing = false; // an endpoint is being typed: it is not taken away

function drawState(s) {
  state = s;
  $("base").textContent = s.baseURL;
  $("pending").textContent = s.pending ? s.pending + " items wait" : "nothing waits";
  $("redirect").textContent = s.redirectURL || "none is registered: any of this machine is taken";
  $("faults").textContent = s.faults ? s.faults + " requests will fail" : "no fault is set";
  $("ahead").textContent = s.ahead === "0s" ? "" : "(" + s.ahead + " ahead)";
  ahead = milliseconds(s.ahead);
  fill($("users"), s.users.slice(0, mostUsers), userRow, true);
  $("more-users").textContent = s.users.length > mostUsers ? `${s.users.length - mostUsers} more users are not listed.` : s.users.length ? "" : "There are no users.";
  if (!editing) fill($("endpoints"), s.endpoints, endpointRow);
  for (const i of document.querySelectorAll("#quirks input")) i.checked = s.quirks.includes(i.name);
}

function userRow(u) {
  const path = pathOf(u.id);
  const sport = () => ($("sport").value ? { sport: $("sport").value } : {});
  const tools = el("span");
  if (u.connected) {
    tools.append(
      button("Sync", "sync", () => call("POST", path + "/sync", sport())),
      button("Edit", "edit", () => editLatest(u)),
      button("Resend", "resend", () => call("POST", path + "/resend", {})),
      button("Backfill month", "backfill", async () => {
        const end = new Date(Date.now() + ahead), start = new Date(end - 30 * 86400e3 + 60e3);
        await call("POST", path + "/backfill", { kind: "activities", start, end });
      }),
      button("Permissions", "permissions", () => call("PUT", path + "/permissions", state.users.find((v) => v.id === u.id).permissions.length ? [] : ["ACTIVITY_EXPORT", "HISTORICAL_DATA_EXPORT"])),
      button("Expire token", "expire", () => call("POST", path + "/expire", {})),
      button("Disconnect", "disconnect", () => call("DELETE", path)),
    );
  } else {
    tools.append("disconnected ", button("Connect", "connect", () => call("PUT", path, { connected: true })));
  }
  tools.append(button("Data", "data", () => showData(u)), button("Tokens", "tokens", async () => {
    openPanel("Tokens of " + u.id);
    $("viewer").textContent = JSON.stringify(await call("GET", path), null, 2);
  }));
  const n = u.records;
  const tr = el("tr", {}, cell("", el("code", { textContent: u.id })), cell("Permissions", u.permissions.join(", ") || "none"),
    cell("Activities", n.activities, "n"), cell("Details", n.activityDetails, "n"), cell("Files", n.activityFiles, "n"),
    cell("Manual", n.manuallyUpdatedActivities, "n"), cell("MoveIQ", n.moveIQActivities, "n"), cell("", tools));
  tr.dataset.key = u.id;
  return tr;
}

function endpointRow(e) {
  const name = (i, label) => { i.ariaLabel = label + " of " + e.key; return i; };
  const box = (label, checked) => name(el("input", { type: "checkbox", checked, name: label }), label);
  const url = name(el("input", { type: "url", value: e.url, name: e.key }), "URL");
  const enabled = box("Enabled", e.enabled), hold = box("On hold", e.onHold), push = box("Push", e.push);
  const save = button("Save", "save", async () => {
    editing = false;
    await call("PUT", "/endpoints/" + e.key, { url: url.value.trim(), enabled: enabled.checked, onHold: hold.checked, push: push.checked });
  });
  save.ariaLabel = "Save " + e.key;
  for (const i of [url, enabled, hold, push]) i.oninput = () => { editing = true; };
  url.onkeydown = (k) => { if (k.key === "Enter") save.click(); };
  const tr = el("tr", { id: "row-" + e.key }, cell("", e.key), cell("URL", url), cell("Enabled", enabled), cell("On hold", hold), cell("Push", push),
    cell("Waiting", e.waiting, "n"), cell("Failed", e.failed, e.failed ? "n bad" : "n"), cell("", save));
  tr.dataset.key = e.key;
  return tr;
}

// ---- Items ----

function openPanel(title) {
  $("h-panel").textContent = title;
  $("panel").hidden = false;
  $("editor").hidden = true;
  $("items").replaceChildren();
  $("viewer").textContent = "";
}

async function showData(u) {
  const list = await call("GET", pathOf(u.id) + "/data");
  openPanel("Data of " + u.id);
  const last = list.slice(-50).reverse();
  $("items").replaceChildren(...last.map((r) => el("li", {}, el("span", { textContent: clockTime(r.start) + " " + r.start.slice(0, 10) }), el("span", { textContent: r.kind }),
    el("code", { textContent: r.id }), el("small", { textContent: r.uploaded ? "uploaded " + r.uploaded : "history" }),
    button("Edit", "edititem", () => edit(u, r)))));
  const count = {};
  for (const r of list) {
    const sort = r.kind + (r.uploaded ? "" : ", history");
    count[sort] = (count[sort] ?? 0) + 1;
  }
  $("viewer").textContent = Object.entries(count).map(([sort, n]) => `${n} ${sort}`).join("\n") || "no data";
}

async function editLatest(u) {
  const list = await call("GET", pathOf(u.id) + "/data?kind=activities");
  openPanel("Edit of " + u.id);
  await edit(u, list.at(-1));
}

// edit opens the editor with an item as it is kept, to the digit.
async function edit(u, r) {
  const path = pathOf(u.id) + "/items";
  let text = '{"activityName":"Run","activityType":"RUNNING","durationInSeconds":1800}';
  if (r) {
    const res = await fetch(`control${path}/${r.kind}/${encodeURIComponent(r.id)}`);
    text = await res.text();
    text = text.slice(text.indexOf('"json":') + 7, -1);
  }
  $("editor").hidden = false;
  $("kind").value = r?.kind ?? "activities";
  $("json").value = pretty({ text });
  on("upload", async () => {
    const [made] = await call("POST", path, `{"kind":${JSON.stringify($("kind").value)},"item":${$("json").value}}`);
    $("viewer").textContent = "sent: " + made.kind + " " + made.id;
  });
  on("manual", async () => {
    const item = $("json").value;
    const made = await call("POST", path + "/activities/" + encodeURIComponent(JSON.parse(item).summaryId) + "/edit", item);
    $("viewer").textContent = "sent: " + made.kind + " " + made.id;
  });
  $("json").focus();
}

on("closepanel", () => { $("panel").hidden = true; });

// ---- The logs ----

const kept = 1000; // entries that can be searched
const shown = 100; // rows at a time
const logs = {
  deliveries: { all: [], skipped: 0, row: deliveryRow, text: (d) => [d.id, d.key, d.url, d.status, d.error, d.attempt > 1 ? "attempt " + d.attempt : ""].join(" "), failed: (d) => !d.acknowledged, waits: (d) => !!d.next },
  requests: { all: [], skipped: 0, row: requestRow, text: (r) => [r.id, r.method, r.path, r.query, r.userId, r.status, r.by].join(" "), failed: (r) => r.status === 0 || r.status >= 400, waits: () => false },
};

function deliveryRow(d) {
  return logRow("delivery", d.id, clockTime(d.sent), cell("", d.key), cell("Items", d.items, "n"), cell("Attempt", d.attempt, "n"),
    cell("", d.status ? String(d.status) : d.error, d.acknowledged ? "good" : "bad"), cell("Seconds", d.seconds.toFixed(2), "n"), cell("Again at", clockTime(d.next)));
}

function requestRow(r) {
  return logRow("request", r.id, clockTime(r.time), cell("", r.method + " " + r.path), cell("", r.userId),
    cell("", (r.status ? String(r.status) : "cut") + (r.by ? " by " + r.by : ""), r.status && r.status < 400 ? "good" : "bad"), cell("Seconds", r.seconds.toFixed(2), "n"));
}

function logRow(what, id, time, ...cells) {
  const open = () => press(() => show(what, id));
  const first = el("button", { type: "button", name: "open", textContent: time, onclick: (e) => { e.stopPropagation(); open(); } });
  const tr = el("tr", { onclick: open }, cell("", first), ...cells);
  tr.dataset.key = what + id;
  return tr;
}

function takeBatch(name, batch) {
  const log = logs[name];
  log.all = batch.list.reverse().concat(log.all).slice(0, kept);
  log.skipped += batch.skipped;
  drawLater();
}

let drawing = false;
// drawLater draws once for all that comes before the next frame.
function drawLater() {
  if (drawing) return;
  drawing = true;
  setTimeout(() => { drawing = false; drawLogs(); }, 50);
}

function drawLogs() {
  const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean), show = $("show").value;
  for (const [name, log] of Object.entries(logs)) {
    const match = log.all.filter((v) => (!show || log[show](v)) && words.every((w) => log.text(v).toLowerCase().includes(w)));
    fill($(name), match.slice(0, shown), log.row);
    $("no-" + name).hidden = match.length > 0;
    const total = state?.[name] ?? log.all.length;
    $("n-" + name).textContent = `${total.toLocaleString()} in all, ${Math.min(match.length, shown)} listed` +
      (log.skipped ? `; a sample: ${log.skipped.toLocaleString()} came too fast to list` : "");
    for (const r of $(name).children) r.classList.toggle("open", r.dataset.key === open?.what + open?.id);
  }
}
$("search").oninput = drawLogs;
$("show").oninput = drawLogs;

// ---- One entry ----

let open = null; // {what, id}

async function show(what, id) {
  const v = await call("GET", (what === "delivery" ? "/deliveries/" : "/requests/") + id);
  open = { what, id };
  drawEntry(v);
  drawLogs();
  $("detail").hidden = false;
  $("detail").focus({ preventScroll: true });
  $("detail").scrollIntoView({ block: "nearest" });
}

function drawEntry(v) {
  const delivery = open.what === "delivery";
  $("h-detail").textContent = delivery ? `Delivery ${v.id}: ${v.key}` : `Request ${v.id}: ${v.method} ${v.path}`;
  $("resend").hidden = !delivery;
  $("retry").hidden = !delivery || !v.next;
  const took = (v.seconds * 1000).toFixed(1) + " ms";
  facts($("facts"), delivery
    ? { "to": v.url || "a handler in memory", "sent": when(v.sent), "took": took, "attempt": `${v.attempt} at notification ${v.notification}`, "items": `${v.items} of ${v.users} users`,
      "answer": v.status || v.error, "next attempt": v.next ? when(v.next) : "none" }
    : { "at": when(v.time), "took": took, "host": v.host, "query": v.query || "none", "user": v.userId || "none", "authorization": v.auth || "none", "answer": v.status || "the connection was cut", ...(v.by ? { "answered by": v.by } : {}) });
  side("sent", delivery ? "Sent by Garmin" : "Sent by the partner", v.request);
  side("answer", delivery ? "Answered by the partner" : "Answered by Garmin", v.answer);
}

function when(t) { return new Date(t).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" }) + ", " + t; }

function facts(dl, o) {
  dl.replaceChildren(...Object.entries(o).flatMap(([k, v]) => [el("dt", { textContent: k }), el("dd", { textContent: v })]));
}

function side(id, title, m) {
  $("h-" + id).textContent = `${title}: ${m.size.toLocaleString()} bytes` + (m.dropped ? ", no longer kept" : m.cut ? ", the beginning of which is kept" : "");
  facts($(id + "-header"), Object.fromEntries(Object.entries(m.header ?? {}).map(([k, v]) => [k, v.join(", ")])));
  $(id).textContent = pretty(m);
}

// pretty writes JSON on several lines. Numbers stay as they were sent, to the digit.
function pretty(m) {
  if (m.base64) return "no text, in base64: " + m.base64;
  let text = m.text;
  try { JSON.parse(text); } catch { return text; }
  const most = 200_000;
  if (text.length > most) return text.slice(0, most) + "…";
  let out = "", depth = 0;
  const line = () => "\n" + "  ".repeat(depth);
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g)) {
    if (token === "{" || token === "[") { depth++; out += token + line(); }
    else if (token === "}" || token === "]") { depth--; out = (out.trimEnd().endsWith(token === "}" ? "{" : "[") ? out.trimEnd() : out + line()) + token; }
    else if (token === ",") out += token + line();
    else out += token === ":" ? ": " : token;
  }
  return out;
}

async function again(how) {
  const d = await call("POST", `/deliveries/${open.id}/${how}`);
  open = { what: "delivery", id: d.id };
  drawEntry(d);
  drawLogs();
}
on("resend", () => again("resend"));
on("retry", () => again("retry"));
on("close", closeEntry);
function closeEntry() {
  const was = open;
  $("detail").hidden = true;
  open = null;
  drawLogs();
  if (was) document.querySelector(`tr[data-key="${was.what}${was.id}"] button`)?.focus();
}

document.addEventListener("keydown", (e) => {
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? "");
  if (e.key === "Escape" && open) closeEntry();
  else if (e.key === "/" && !typing) { e.preventDefault(); $("search").focus(); }
  else if (e.key === "ArrowDown" || e.key === "ArrowUp") {
    const row = document.activeElement?.closest(".log tbody tr");
    const next = row && (e.key === "ArrowDown" ? row.nextElementSibling : row.previousElementSibling);
    if (next) { e.preventDefault(); next.querySelector("button").focus(); }
  }
});

// ---- The buttons ----

on("add", () => call("POST", "/users", { connected: !$("never").checked }));
on("setall", async () => {
  editing = false;
  await call("PUT", "/endpoints/all", { url: $("all").value.trim() });
});
on("deliver", () => call("POST", "/deliver"));
on("retryall", () => call("POST", "/retry"));
on("clearlog", async () => {
  await call("DELETE", "/requests");
  Object.assign(logs.requests, { all: [], skipped: 0 });
  drawLogs();
});
for (const b of document.querySelectorAll(".advance")) b.onclick = () => press(() => call("POST", "/clock", { advance: b.value }));
on("advance", () => call("POST", "/clock", { advance: $("by").value.trim() }));
on("fault", () => call("POST", "/faults", { ...JSON.parse($("what").value), path: $("path").value.trim(), n: Number($("n").value) }));
on("clearfaults", () => call("DELETE", "/faults"));
on("reset", async () => {
  const b = $("reset"); // twice, since it takes all away
  if (b.dataset.sure) {
    await call("POST", "/reset");
    forget();
  }
  b.textContent = b.dataset.sure ? "Reset" : "Really reset?";
  b.dataset.sure = b.dataset.sure ? "" : "1";
});
$("reset").onblur = () => { $("reset").dataset.sure = ""; $("reset").textContent = "Reset"; };
$("restore").onchange = () => press(async () => {
  const [file] = $("restore").files;
  if (!file) return;
  const res = await fetch("control/snapshot", { method: "PUT", body: await file.text() });
  $("restore").value = "";
  if (!res.ok) throw new Error((await res.json()).error);
  forget();
});
// forget begins the logs anew, whose numbers begin anew.
function forget() {
  for (const log of Object.values(logs)) Object.assign(log, { all: [], skipped: 0 });
  if (open) closeEntry();
  follow();
  drawLogs();
}
for (const i of document.querySelectorAll("#quirks input")) {
  i.onchange = () => press(() => call("PUT", "/quirks", { shares: { [i.name]: i.checked ? Number($("share").value) : 0 } }));
}
$("share").onchange = () => press(() => call("PUT", "/quirks", { share: Number($("share").value) }));
function report(r) {
  $("report").textContent = r.checks.map((c) => c.verdict.toUpperCase().padEnd(5) + c.name + "  " + c.section + "\n      " + c.requirement + (c.detail ? "\n      -> " + c.detail : "")).join("\n");
}
on("partner", async () => report(await call("GET", "/verification")));
on("verify", async () => { $("report").textContent = "…"; report(await call("POST", "/verify", { endpoint: state.endpoints[0].url })); });
for (const b of document.querySelectorAll("[data-copy]")) {
  b.onclick = () => press(async () => {
    await navigator.clipboard.writeText($(b.dataset.copy).textContent);
    const was = b.textContent;
    b.textContent = "Copied";
    setTimeout(() => { b.textContent = was; }, 1500);
  });
}

// ---- The clock and the stream ----

let ahead = 0;
// milliseconds reads a duration of Go's, such as "24h0m1.5s".
function milliseconds(text) {
  const unit = { h: 3600e3, m: 60e3, s: 1e3, ms: 1, "µs": 1e-3, ns: 1e-6 };
  return [...text.matchAll(/([\d.]+)(h|ms|µs|ns|m|s)/g)].reduce((sum, [, n, u]) => sum + n * unit[u], 0);
}
function tick() {
  const now = new Date(Date.now() + ahead);
  $("now").textContent = now.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
  $("now").dateTime = now.toISOString();
}
tick();
setInterval(tick, 500);

function live(text, good) {
  $("live").textContent = text;
  $("live").className = good ? "good" : "bad";
}

let stream;
// follow opens the event stream, which opens itself again when it breaks.
function follow() {
  stream?.close();
  stream = new EventSource("control/events");
  stream.onopen = () => live("live", true);
  stream.onerror = () => live("connection lost, trying again", false);
  stream.addEventListener("state", (e) => { drawState(JSON.parse(e.data)); drawLater(); });
  for (const name of Object.keys(logs)) stream.addEventListener(name, (e) => takeBatch(name, JSON.parse(e.data)));
}
follow();

call("GET", "/app").then((app) => {
  $("client-id").textContent = app.clientId;
  $("client-secret").textContent = app.clientSecret || "as it was given";
  for (const pre of document.querySelectorAll(".settings")) {
    pre.textContent = pre.textContent.replaceAll("BASE_URL", app.baseURL).replaceAll("CLIENT_ID", app.clientId).replaceAll("CLIENT_SECRET", app.clientSecret || "…");
  }
}).catch(fail);
