"use strict";
(() => {
  // Everything from the store is shown by textContent; nothing in this script makes markup from text.
  const byId = (id) => document.getElementById(id);
  const read = (id) => JSON.parse(byId(id).textContent);
  const report = read("report");
  const LINKS = ["cause", "request", "correlation"];
  const LANES_MAX = 12, CHUNK = 50, ROW_PX = 30, LIST_MAX = 500, TOP = 8, TOP_SLACK = 2;

  // ---------------------------------------------------------------- text

  const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;
  const escaped = (c) => {
    const code = c.codePointAt(0).toString(16);
    return code.length < 3 ? "\\x" + code.padStart(2, "0") : code.length < 5 ? "\\u" + code.padStart(4, "0") : "\\U" + code.padStart(8, "0");
  };
  const visible = (text) => String(text).replace(HIDDEN, escaped);
  const visibleLines = (text) => String(text).replace(HIDDEN, (c) => (c === "\n" ? c : escaped(c)));

  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === undefined || value === null || value === false) continue;
      if (name === "text") element.textContent = visible(value);
      else if (name === "vars") for (const [v, to] of Object.entries(value)) element.style.setProperty("--" + v, to);
      else if (name === "on") element.addEventListener("click", value);
      else element.setAttribute(name, typeof value === "string" ? visible(value) : String(value));
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  }

  const count = (n) => n.toLocaleString("en-US");
  const counted = (n, what) => `${count(n)} ${what}${n === 1 ? "" : "s"}`;
  function duration(us) {
    const a = Math.abs(us), sign = us < 0 ? "−" : "";
    if (a < 1e3) return `${sign}${a} µs`;
    if (a < 1e6) return `${sign}${trim(a / 1e3)} ms`;
    if (a < 6e7) return `${sign}${trim(a / 1e6)} s`;
    const s = Math.round(a / 1e6), m = Math.floor(s / 60), h = Math.floor(m / 60), d = Math.floor(h / 24);
    if (h < 1) return `${sign}${m} min ${s % 60} s`;
    if (d < 1) return `${sign}${h} h ${m % 60} min`;
    return `${sign}${count(d)} d ${h % 24} h`;
  }
  const trim = (x) => (x < 10 ? x.toFixed(2) : x < 100 ? x.toFixed(1) : x.toFixed(0)).replace(/\.0+$/, "");
  const two = (n) => String(n).padStart(2, "0");
  const dayOf = (us) => { const d = new Date(us / 1000); return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`; };
  const hourOf = (us) => { const d = new Date(us / 1000); return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`; };
  const utc = (us) => new Date(Math.floor(us / 1e6) * 1000).toISOString().slice(0, 19) + "." + String(us % 1e6).padStart(6, "0") + "Z";
  const when = (us) => `${dayOf(us)} ${hourOf(us)}.${String(Math.floor((us % 1e6) / 1e3)).padStart(3, "0")}`;
  const bytes = (n) => (n < 1024 ? `${n} bytes` : n < 1 << 20 ? `${trim(n / 1024)} KiB` : `${trim(n / (1 << 20))} MiB`);

  // ---------------------------------------------------------------- messages

  const { streams, types, sessionIds } = report;
  const messages = read("messages").map((row, index) => ({
    index, position: row[0], stream: row[1], type: row[2], isCommand: row[3] === 1, revision: row[4], recorded: row[5],
    session: row[6], data: row[7], id: row[8], request: row[9], correlation: row[10], causation: row[11],
    produced: row[12] ?? null, metadata: row[13] ?? null, parent: null, link: null, isOrphan: false, cycle: [], gap: null, at: null, hay: null,
  }));
  const tree = report.tree.map(([index, depth, parent, link, isOrphan, cycle]) => {
    Object.assign(messages[index], { parent, link, isOrphan: isOrphan === 1, cycle });
    return { index, depth };
  });
  const position = new Map(messages.map((m) => [m.position, m.index]));
  const children = new Map();
  for (const m of messages) if (m.parent !== null) (children.get(m.parent) || children.set(m.parent, []).get(m.parent)).push(m.index);
  const tally = (key, size) => {
    const counts = new Array(size).fill(0);
    for (const m of messages) counts[m[key]]++;
    return counts;
  };
  const typeCounts = tally("type", types.length), streamCounts = tally("stream", streams.length);
  const mostFirst = (counts) => [...counts.keys()].sort((a, b) => counts[b] - counts[a] || a - b);

  let clock = report.clock, start = 0, end = 0, slowest = -1;
  function setClock(name) {
    clock = name;
    start = Infinity; end = -Infinity; slowest = -1;
    for (const m of messages) {
      m.at = m[clock];
      if (m.at !== null) { start = Math.min(start, m.at); end = Math.max(end, m.at); }
    }
    if (start > end) start = end = 0;
    for (const m of messages) {
      const above = m.parent === null ? null : messages[m.parent];
      m.gap = above && m.at !== null && above.at !== null ? m.at - above.at : null;
      // From the first message above to a child correlation is no one's doing.
      if (m.gap > 0 && m.link !== 2 && (slowest < 0 || m.gap > messages[slowest].gap)) slowest = m.index;
    }
  }
  setClock(clock);

  // ---------------------------------------------------------------- lanes: streams, families of streams named alike, or types

  const family = (id) => id.replace(/[-_/:.#][^-_/:.#]*\d.*$/u, (rest) => rest[0] + "*");
  function makeLanes() {
    const families = streams.map(family), areAlike = new Set(families).size < 2;
    if (streams.length <= LANES_MAX) return lanesOf("stream", streams, streamCounts);
    return areAlike ? lanesOf("type", types, typeCounts) : lanesOf("stream", families, streamCounts);
  }
  function lanesOf(key, names, counts) {
    const sizes = new Map();
    names.forEach((name, i) => sizes.set(name, (sizes.get(name) || 0) + counts[i]));
    const order = [...sizes.keys()].sort((a, b) => sizes.get(b) - sizes.get(a));
    const shown = order.length <= LANES_MAX ? order : [...order.slice(0, LANES_MAX - 1), `other ${key}s`];
    const places = new Map(shown.map((name, lane) => [name, lane]));
    return { key, shown, of: names.map((name) => places.get(name) ?? shown.length - 1) };
  }
  const lanes = makeLanes();
  const laneOf = (m) => lanes.of[m[lanes.key]];
  const tintOf = (m) => `var(--c${laneOf(m)})`;

  // ---------------------------------------------------------------- head

  function drawHead() {
    const only = report.sessions.length === 1 && sessionIds.length < 2 ? report.sessions[0] : null;
    const title = only ? only.name || only.sessionId : "Messages";
    byId("title").textContent = visible(title);
    document.title = `${visible(title)} – msgstore report`;
    const parts = [];
    if (only) parts.push(only.sessionId, `started ${when(Date.parse(only.startedAt) * 1000)}`);
    else if (report.sessions.length) parts.push(counted(report.sessions.length, "session"));
    for (const [name, value] of report.filters) if (!(only && name === "session")) parts.push(`${name}: ${value}`);
    byId("subtitle").textContent = visible(parts.join("  ·  ") || "the whole store");
    if (only) {
      const status = only.status || (only.endedAt ? "ended" : "open");
      byId("labels").append(make("span", { class: "badge " + (/^ok$/i.test(status) ? "good" : only.status ? "bad" : ""), text: status }));
      for (const [k, v] of Object.entries(only.labels || {})) byId("labels").append(" ", make("span", { class: "badge", title: `${k}=${v}`, text: `${k}=${v}` }));
    }
    const notes = [];
    if (report.total > messages.length) notes.push(`This page has ${count(messages.length)} of ${counted(report.total, "message")} that match; ${count(report.total - messages.length)} are left out. Raise --limit, or narrow it by filters.`);
    const long = messages.filter((m) => typeof m.data === "number" || typeof m.metadata === "number").length;
    if (long) notes.push(`Of ${counted(long, "message")} data or metadata is left out as too long; msgstore show prints it, --data-max lets more in.`);
    byId("notice").hidden = !notes.length;
    byId("notice").textContent = notes.join(" ");
    byId("made").textContent = visible(`Made by msgstore ${report.version} on ${when(report.made)}. Times are those of ${Intl.DateTimeFormat().resolvedOptions().timeZone}; details have UTC.`);
  }

  function drawTiles() {
    const commands = messages.filter((m) => m.isCommand).length;
    const correlations = new Set(messages.map((m) => m.correlation).filter((c) => c)).size;
    const orphans = messages.filter((m) => m.isOrphan).length, cycles = messages.filter((m) => m.cycle.length).length;
    const tiles = [
      ["Messages", count(messages.length), report.total > messages.length ? `of ${count(report.total)}` : `${count(commands)} commands, ${count(messages.length - commands)} events`],
      ["Streams", count(streams.length), ""], ["Types", count(types.length), ""], ["Correlations", count(correlations), ""],
      ["From first to last", messages.length ? duration(end - start) : "–", end ? `${dayOf(start)} ${hourOf(start)}` : ""],
      ["Slowest step", slowest < 0 ? "–" : duration(messages[slowest].gap), slowest < 0 ? "" : `to ${types[messages[slowest].type]}`, slowest],
    ];
    if (orphans || cycles) tiles.push(["Broken causes", count(orphans + cycles), [orphans && counted(orphans, "orphan"), cycles && counted(cycles, "cycle")].filter(Boolean).join(", "), messages.findIndex((m) => m.isOrphan || m.cycle.length)]);
    const more = (text, index) => index >= 0 ? make("button", { type: "button", class: "link", text: `${text} →`, "aria-label": `${text}: show the message`, on: () => { setView("tree"); goTo(index); } }) : make("small", { text });
    byId("tiles").replaceChildren(...tiles.map(([name, value, text, index]) =>
      make("div", {}, make("dt", { text: name }), make("dd", { text: value }, text ? more(text, index) : null))));
  }

  // ---------------------------------------------------------------- filters

  const wanted = { words: [], kind: "", type: "", stream: "", session: "", from: null, to: null, correlation: null };
  let view = "time", shown = [], matching = new Set();
  const hay = (m) => (m.hay ??= [types[m.type], streams[m.stream], "#" + m.position, m.id, m.request, m.correlation, m.causation, sessionIds[m.session], m.data, m.metadata]
    .filter((x) => x !== null && x !== undefined).join("\n").toLowerCase());
  const matches = (m) =>
    (wanted.kind === "" || m.isCommand === (wanted.kind === "1")) && (wanted.type === "" || m.type === wanted.type) &&
    (wanted.stream === "" || m.stream === wanted.stream) && (wanted.session === "" || m.session === wanted.session) &&
    (wanted.from === null || (m.at !== null && m.at >= wanted.from && m.at < wanted.to)) &&
    (wanted.correlation === null || m.correlation === wanted.correlation) && wanted.words.every((word) => hay(m).includes(word));

  function apply() {
    const found = messages.filter(matches);
    matching = new Set(found.map((m) => m.index));
    if (view === "time") shown = found.map((m) => ({ index: m.index, depth: 0 }));
    else {
      const kept = new Set(matching);
      for (const m of found) for (let up = m.parent; up !== null && !kept.has(up); up = messages[up].parent) kept.add(up);
      shown = tree.filter((node) => kept.has(node.index));
    }
    const all = found.length === messages.length;
    byId("found").textContent = all ? counted(found.length, "message") : `${count(found.length)} of ${counted(messages.length, "message")}`;
    byId("type").value = String(wanted.type); byId("stream").value = String(wanted.stream); byId("session").value = String(wanted.session);
    for (const [name, key] of [["types", "type"], ["streams", "stream"]])
      for (const button of byId(name).querySelectorAll(".tally")) button.setAttribute("aria-pressed", String(Number(button.dataset.value) === wanted[key] && wanted[key] !== ""));
    drawChips(); drawList(); drawActivity();
  }
  function drawChips() {
    const chips = [];
    const chip = (text, off) => chips.push(make("button", { type: "button", class: "chip", text: `${text}  ✕`, "aria-label": `Remove: ${text}`, on: () => { off(); apply(); byId("search").focus(); } }));
    if (wanted.correlation !== null) chip(`correlation ${wanted.correlation}`, () => { wanted.correlation = null; });
    if (wanted.from !== null) chip(`${when(wanted.from)} and ${duration(wanted.to - wanted.from)} on`, () => { wanted.from = wanted.to = null; });
    byId("chips").replaceChildren(...chips);
  }
  function reset() {
    Object.assign(wanted, { words: [], kind: "", type: "", stream: "", session: "", from: null, to: null, correlation: null });
    byId("search").value = ""; byId("kind").value = "";
    apply();
  }

  function drawTallies(id, key, names, counts) {
    const order = mostFirst(counts), most = counts[order[0]] || 1;
    const line = (i) => make("button", { type: "button", class: "tally", "aria-pressed": "false", "data-value": i, title: names[i], vars: { share: `${(100 * counts[i]) / most}%`, tint: `var(--c${key === lanes.key ? lanes.of[i] : 0})` }, on: () => { wanted[key] = wanted[key] === i ? "" : i; apply(); } },
      make("span", { text: names[i] }), make("span", { class: "n", text: count(counts[i]) }));
    const place = byId(id);
    const isLong = order.length > TOP + TOP_SLACK;
    place.replaceChildren(...order.slice(0, isLong ? TOP : order.length).map(line));
    byId(`${id}-count`).textContent = isLong ? `the ${TOP} with the most of ${count(order.length)}` : count(order.length);
    if (isLong) {
      const cut = order.length > LIST_MAX ? `the first ${LIST_MAX} of ` : "";
      place.append(make("button", { type: "button", class: "act", text: `Show ${cut}all ${count(order.length)}`, on: () => { place.replaceChildren(...order.slice(0, LIST_MAX).map(line)); place.classList.add("more"); apply(); place.firstChild.focus(); } }));
    }
    const select = byId(key);
    select.append(...order.slice(0, LIST_MAX).map((i) => make("option", { value: i, text: `${names[i].slice(0, 80)} (${count(counts[i])})` })));
    if (order.length > LIST_MAX) select.append(make("option", { disabled: "", text: "… search for the others" }));
  }

  // ---------------------------------------------------------------- activity

  const chart = byId("activity"), canvas = make("canvas", { "aria-hidden": "true" });
  chart.append(canvas);
  let scale = null, cursor = null, anchor = null;
  function makeColors() {
    const style = getComputedStyle(document.documentElement), known = new Map();
    return (name) => known.get(name) ?? known.set(name, style.getPropertyValue(name).trim()).get(name);
  }
  function makeScale(width) {
    const left = width < 600 ? 8 : 170, size = Math.max(20, Math.min(160, Math.floor((width - left - 8) / 7)));
    const span = Math.max(end - start + 1, size), step = span / size;
    const bars = Array.from({ length: size }, () => ({ commands: 0, events: 0, hit: 0 }));
    const cells = lanes.shown.map(() => new Array(size).fill(0));
    for (const m of messages) {
      if (m.at === null) continue;
      const b = Math.min(size - 1, Math.floor((m.at - start) / step));
      m.isCommand ? bars[b].commands++ : bars[b].events++;
      if (matching.has(m.index)) { bars[b].hit++; cells[laneOf(m)][b]++; }
    }
    return { left, size, step, bars, cells, width, each: (width - left - 8) / size };
  }
  function drawActivity() {
    const width = chart.clientWidth;
    if (!width) return;
    const s = (scale = makeScale(width)), color = makeColors(), isNarrow = s.left < 100;
    const high = 84, lane = isNarrow ? 32 : 18, bar = 12, top = high + 24, height = top + lanes.shown.length * lane + 4;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = width * ratio; canvas.height = height * ratio; canvas.style.height = height + "px";
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio); pen.font = "12px system-ui, 'Liberation Sans', sans-serif"; pen.textBaseline = "middle";
    const most = Math.max(1, ...s.bars.map((b) => b.commands + b.events));
    const line = color("--line"), muted = color("--muted"), some = matching.size < messages.length;
    pen.fillStyle = muted; pen.textAlign = "right";
    if (!isNarrow) { pen.fillText(count(most), s.left - 10, 8); pen.fillText("0", s.left - 10, high - 5); }
    pen.fillStyle = line; pen.fillRect(s.left, high, s.each * s.size, 1);
    s.bars.forEach((b, i) => {
      const x = s.left + i * s.each, w = Math.max(1, s.each - 1), part = (n) => (n ? Math.max(2, (n / most) * (high - 4)) : 0);
      const events = part(b.events), commands = part(b.commands);
      pen.globalAlpha = some ? 0.28 : 1;
      pen.fillStyle = color("--event"); pen.fillRect(x, high - events, w, events);
      pen.fillStyle = color("--bar"); pen.fillRect(x, high - events - commands, w, commands);
      pen.globalAlpha = 1;
      if (some && b.hit) { const h = part(b.hit); pen.fillStyle = color("--focus"); pen.fillRect(x, high - h, w, h); }
    });
    pen.fillStyle = muted;
    for (let i = 0, steps = width < 600 ? 2 : 4; i <= steps; i++) {
      const at = start + ((end - start) * i) / steps, far = end - start > 2 * 86400e6;
      pen.textAlign = i === 0 ? "left" : i === steps ? "right" : "center";
      pen.fillText(far ? dayOf(at) : end - start < 5e6 ? "+" + duration(Math.round(at - start)) : hourOf(at), s.left + (s.each * s.size * i) / steps, high + 11);
    }
    const peak = Math.max(1, ...s.cells.flat());
    lanes.shown.forEach((name, l) => {
      const y = top + l * lane + (lane - bar - 3), hue = color("--c" + l), room = isNarrow ? width - 16 : s.left - 16;
      pen.fillStyle = line; pen.fillRect(s.left, y + bar / 2, s.each * s.size, 1);
      let text = visible(name).slice(0, 80);
      while (text.length > 4 && pen.measureText(text).width > room) text = text.slice(0, -2) + "…";
      pen.fillStyle = hue; pen.textAlign = isNarrow ? "left" : "right";
      pen.fillText(text, isNarrow ? s.left : s.left - 10, isNarrow ? y - 8 : y + bar / 2 + 1);
      pen.fillStyle = hue;
      s.cells[l].forEach((n, i) => {
        if (!n) return;
        pen.globalAlpha = 0.45 + 0.55 * Math.sqrt(n / peak);
        pen.fillRect(s.left + i * s.each, y, Math.max(2, s.each - 1), bar);
      });
      pen.globalAlpha = 1;
    });
    const mark = wanted.from !== null ? [Math.round((wanted.from - start) / s.step), Math.round((wanted.to - start) / s.step) - 1] : null;
    for (const [pair, fill] of [[mark, true], [cursor === null ? null : [Math.min(cursor, anchor ?? cursor), Math.max(cursor, anchor ?? cursor)], false]]) {
      if (!pair) continue;
      const x = s.left + pair[0] * s.each - 1, w = (pair[1] - pair[0] + 1) * s.each + 1;
      pen.strokeStyle = color("--focus"); pen.lineWidth = 1.5; pen.strokeRect(x, 0.75, w, height - 1.5);
      if (fill) { pen.globalAlpha = 0.1; pen.fillStyle = color("--focus"); pen.fillRect(x, 0, w, height); pen.globalAlpha = 1; }
    }
  }
  function tellBucket() {
    if (cursor === null || !scale) { byId("bucket").textContent = ""; return; }
    const a = Math.min(cursor, anchor ?? cursor), b = Math.max(cursor, anchor ?? cursor);
    const inside = scale.bars.slice(a, b + 1), n = inside.reduce((sum, x) => sum + x.commands + x.events, 0);
    byId("bucket").textContent = `${when(Math.floor(start + a * scale.step))}, ${duration(Math.round((b - a + 1) * scale.step))}: ${counted(n, "message")}`;
  }
  function selectSpan() {
    const a = Math.min(cursor, anchor ?? cursor), b = Math.max(cursor, anchor ?? cursor);
    wanted.from = start + a * scale.step; wanted.to = start + (b + 1) * scale.step;
    apply();
  }
  const bucketAt = (event) => Math.max(0, Math.min(scale.size - 1, Math.floor((event.clientX - canvas.getBoundingClientRect().left - scale.left) / scale.each)));
  chart.addEventListener("pointerdown", (event) => { if (event.button) return; chart.setPointerCapture(event.pointerId); cursor = anchor = bucketAt(event); drawActivity(); tellBucket(); });
  chart.addEventListener("pointermove", (event) => { cursor = bucketAt(event); if (!event.buttons) anchor = null; drawActivity(); tellBucket(); });
  chart.addEventListener("pointerup", () => { if (cursor !== null) { selectSpan(); anchor = null; } });
  chart.addEventListener("pointerleave", () => { if (document.activeElement !== chart) { cursor = anchor = null; drawActivity(); tellBucket(); } });
  chart.addEventListener("blur", () => { cursor = anchor = null; drawActivity(); tellBucket(); });
  chart.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) {
      if (event.shiftKey) anchor ??= cursor ?? 0; else anchor = null;
      cursor = cursor === null ? (step > 0 ? 0 : scale.size - 1) : Math.max(0, Math.min(scale.size - 1, cursor + step));
    } else if (event.key === "Enter" && cursor !== null) selectSpan();
    else if (event.key === "Escape") { cursor = anchor = wanted.from = wanted.to = null; apply(); event.stopPropagation(); }
    else return;
    event.preventDefault(); drawActivity(); tellBucket();
  });

  // ---------------------------------------------------------------- the list: chunks that are drawn when they come near

  const list = byId("list"), open = new Set();
  let chunks = [], current = 0;
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) entry.isIntersecting ? fill(entry.target.number) : empty(entry.target.number);
  }, { rootMargin: "900px 0px" });

  function drawList() {
    watcher.disconnect();
    list.classList.toggle("tree", view === "tree");
    list.style.setProperty("--gutter", `${lanes.shown.length * 12}px`);
    byId("lanes-head").hidden = view === "tree";
    byId("empty").hidden = shown.length > 0;
    current = Math.max(0, Math.min(current, shown.length - 1));
    chunks = [];
    for (let first = 0; first < shown.length; first += CHUNK) {
      const place = make("div", { class: "chunk", role: "presentation" });
      place.number = chunks.length;
      place.style.height = `${Math.min(CHUNK, shown.length - first) * ROW_PX}px`;
      chunks.push(place);
    }
    list.replaceChildren(...chunks);
    if (chunks.length) fill(0);
    for (const place of chunks) watcher.observe(place);
  }
  function fill(number) {
    const place = chunks[number];
    if (!place || place.firstChild) return;
    const first = number * CHUNK;
    place.append(...shown.slice(first, first + CHUNK).map((node, i) => row(node, first + i)));
    place.style.height = "";
  }
  function empty(number) {
    const place = chunks[number];
    if (!place || !place.firstChild || place.contains(document.activeElement)) return;
    place.style.height = `${place.offsetHeight}px`;
    place.replaceChildren();
  }
  function row(node, k) {
    const m = messages[node.index], isOpen = open.has(m.index);
    const line = make("button", {
      type: "button", class: `line${m.isCommand ? " command" : ""}`, "aria-expanded": isOpen, tabindex: k === current ? 0 : -1,
      "aria-label": `${m.isCommand ? "command" : "event"} ${types[m.type]}, stream ${streams[m.stream]}, position ${m.position}${view === "tree" ? `, level ${node.depth + 1}` : ""}`,
    }, ...(view === "tree" ? inTree(m, node) : inTime(m, k)));
    const item = make("div", { role: "listitem", class: view === "tree" && !matching.has(m.index) ? "only-above" : "", "aria-setsize": shown.length, "aria-posinset": k + 1 }, line);
    line.addEventListener("click", () => { focusRow(k); toggle(m, item, line); });
    line.addEventListener("focus", () => { if (k !== current) rove(k); });
    if (isOpen) item.append(detail(m));
    return item;
  }
  const number = (m) => make("span", { class: "num", text: "#" + m.position });
  const glyph = (m) => make("span", { class: `glyph${m.isCommand ? " command" : ""}`, text: m.isCommand ? "▶" : "●", title: m.isCommand ? "command" : "event" });
  const time = (m) => make("span", { class: "num time", text: m.at === null ? "–" : end - start > 86400e6 ? `${dayOf(m.at).slice(2)} ${hourOf(m.at)}` : `${hourOf(m.at)}.${String(Math.floor((m.at % 1e6) / 1e3)).padStart(3, "0")}`, title: m.at === null ? "no time" : when(m.at) });
  const stream = (m) => make("span", { class: "stream", vars: { tint: tintOf(m) }, text: streams[m.stream], title: streams[m.stream] });
  const excerpt = (m) => make("span", { class: "data", text: typeof m.data === "number" ? `(${bytes(m.data)} left out)` : m.data === "{}" ? "" : m.data.slice(0, 240) });
  function inTime(m, k) {
    const before = k ? messages[shown[k - 1].index] : null;
    const gap = before && before.at !== null && m.at !== null ? m.at - before.at : null;
    return [number(m), time(m), make("span", { class: "num gap", text: gap === null ? "" : "+" + duration(gap), title: "since the message above" }),
      make("span", { class: `gutter${m.isCommand ? " command" : ""}` }, make("i", { vars: { lane: laneOf(m), tint: tintOf(m) } })),
      glyph(m), make("span", { class: "type", text: types[m.type], title: types[m.type] }), stream(m), excerpt(m)];
  }
  function inTree(m, node) {
    const tags = [];
    if (m.link !== null) tags.push(make("span", { class: "tag", text: LINKS[m.link] }));
    if (m.isOrphan) tags.push(make("span", { class: "tag bad", text: "orphan" }));
    if (m.cycle.length) tags.push(make("span", { class: "tag bad", text: "cycle" }));
    if (m.index === slowest) tags.push(make("span", { class: "tag bad", text: "slowest" }));
    return [number(m), time(m), make("span", { class: `num gap${m.index === slowest ? " slow" : ""}`, text: m.gap === null ? "" : "+" + duration(m.gap), title: "since its cause" }),
      make("span", { class: "what", vars: { depth: Math.min(node.depth, 24) } }, glyph(m), make("span", { class: "type", text: types[m.type] }), ...tags), stream(m), excerpt(m)];
  }
  function toggle(m, item, line) {
    const isOpen = !open.has(m.index);
    isOpen ? open.add(m.index) : open.delete(m.index);
    line.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) item.append(detail(m)); else item.lastChild.remove();
  }
  const lineOf = (k) => { fill(Math.floor(k / CHUNK)); return chunks[Math.floor(k / CHUNK)].children[k % CHUNK].firstChild; };
  function rove(k) {
    const before = chunks[Math.floor(current / CHUNK)];
    if (before && before.firstChild && before.children[current % CHUNK]) before.children[current % CHUNK].firstChild.tabIndex = -1;
    current = k;
    lineOf(k).tabIndex = 0;
  }
  function focusRow(k) {
    if (!shown.length) return;
    rove(Math.max(0, Math.min(k, shown.length - 1)));
    const line = lineOf(current), controls = document.querySelector(".controls");
    const room = getComputedStyle(controls).position === "sticky" ? controls.offsetHeight : 0;
    line.focus({ preventScroll: true });
    const box = line.getBoundingClientRect();
    if (box.top < room + 4) window.scrollBy(0, box.top - room - 8); else if (box.bottom > innerHeight - 8) window.scrollBy(0, box.bottom - innerHeight + 60);
  }
  function goTo(index) {
    if (!shown.some((node) => node.index === index)) reset();
    open.add(index);
    const k = shown.findIndex((node) => node.index === index), place = chunks[Math.floor(k / CHUNK)];
    place.replaceChildren(); focusRow(k);
  }
  list.addEventListener("keydown", (event) => {
    if (!event.target.classList.contains("line")) return;
    const page = Math.max(1, Math.floor(innerHeight / ROW_PX) - 6);
    const to = { ArrowDown: current + 1, ArrowUp: current - 1, PageDown: current + page, PageUp: current - page, Home: 0, End: shown.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault(); focusRow(to);
  });

  // ---------------------------------------------------------------- one message

  function detail(m) {
    const facts = make("dl", { class: "facts" });
    const fact = (name, value) => { if (value !== null && value !== undefined) facts.append(make("dt", { text: name }), make("dd", { text: value })); };
    fact("kind", m.isCommand ? "command" : "event"); fact("type", types[m.type]);
    fact("stream", streams[m.stream]); fact("revision", m.revision); fact("position", m.position);
    fact("recorded", utc(m.recorded)); if (m.produced !== null) fact("produced", utc(m.produced));
    fact("id", m.id); fact("request id", m.request); fact("correlation id", m.correlation); fact("causation id", m.causation);
    fact("session", sessionIds[m.session]);
    if (m.isOrphan) fact("orphan", "its cause is not in this page");
    if (m.cycle.length) fact("cycle", m.cycle.map((p) => "#" + p).join(" ← "));
    const acts = make("div", { class: "acts" });
    const act = (text, on) => acts.append(make("button", { type: "button", class: "act", text, on }));
    if (m.parent !== null) act(`Its ${LINKS[m.link]}: #${messages[m.parent].position} ${types[messages[m.parent].type].slice(0, 60)}`, () => goTo(m.parent));
    for (const child of (children.get(m.index) || []).slice(0, 8)) act(`Led to: #${messages[child].position} ${types[messages[child].type].slice(0, 60)}`, () => goTo(child));
    if (m.correlation && wanted.correlation === null) act("Only this correlation", () => { wanted.correlation = m.correlation; apply(); goTo(m.index); });
    act("Only this stream", () => { wanted.stream = m.stream; apply(); goTo(m.index); });
    act(view === "tree" ? "In the timeline" : "Among its causes", () => { setView(view === "tree" ? "time" : "tree"); goTo(m.index); });
    const texts = make("div", {}, make("h3", { text: "Data" }), json(m.data));
    if (m.metadata !== null) texts.append(make("h3", { text: "Metadata" }), json(m.metadata));
    return make("div", { class: "detail", role: "group", "aria-label": `Message ${m.position}` }, make("div", {}, facts, acts), texts);
  }
  // Laid out from the text itself, token by token: parsed and written anew, long numbers would be others.
  function json(text) {
    const place = make("pre", { tabindex: 0, "aria-label": "JSON" });
    if (typeof text === "number") { place.textContent = `${bytes(text)} are left out of this page`; return place; }
    const tokens = text.match(/"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s[\]{},:"]+/gsu) || [];
    let depth = 0;
    tokens.forEach((token, i) => {
      const next = tokens[i + 1], br = () => "\n" + "  ".repeat(depth);
      if (token === "{" || token === "[") { depth++; place.append(token, next === "}" || next === "]" ? "" : br()); }
      else if (token === "}" || token === "]") { depth--; const before = tokens[i - 1]; place.append(before === "{" || before === "[" ? token : br() + token); }
      else if (token === ",") place.append("," + br());
      else if (token === ":") place.append(": ");
      else { const span = make("span", { class: next === ":" ? "k" : token[0] === '"' ? "s" : "v" }); span.textContent = visibleLines(token); place.append(span); }
    });
    return place;
  }

  // ---------------------------------------------------------------- begin

  function setView(name) {
    view = name; current = 0;
    byId("view-time").setAttribute("aria-pressed", String(name === "time")); byId("view-tree").setAttribute("aria-pressed", String(name === "tree"));
    apply();
  }
  function drawLanesHead() {
    byId("lanes-head").replaceChildren(...lanes.shown.map((name, lane) => make("span", { title: name }, make("i", { vars: { tint: `var(--c${lane})` } }), visible(name))));
  }
  function drawClock() {
    byId("clock").hidden = !messages.some((m) => m.produced !== null);
    for (const button of byId("clock").children) {
      button.setAttribute("aria-pressed", String(button.dataset.clock === clock));
      button.onclick = () => { setClock(button.dataset.clock); wanted.from = wanted.to = cursor = anchor = null; drawClock(); drawTiles(); apply(); };
    }
  }
  byId("filters").addEventListener("submit", (event) => { event.preventDefault(); focusRow(0); });
  byId("filters").addEventListener("reset", (event) => { event.preventDefault(); reset(); });
  let waiting = 0;
  byId("search").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { wanted.words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean); apply(); }, messages.length > 3000 ? 150 : 40);
  });
  byId("search").addEventListener("keydown", (event) => { if (event.key === "ArrowDown") { event.preventDefault(); focusRow(0); } });
  byId("kind").addEventListener("change", (event) => { wanted.kind = event.target.value; apply(); });
  for (const key of ["type", "stream", "session"]) byId(key).addEventListener("change", (event) => { wanted[key] = event.target.value === "" ? "" : Number(event.target.value); apply(); });
  byId("view-time").addEventListener("click", () => setView("time"));
  byId("view-tree").addEventListener("click", () => setView("tree"));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") { reset(); return; }
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    if (event.key === "/") { event.preventDefault(); byId("search").focus(); byId("search").select(); }
    else if (event.key === "t") setView("time");
    else if (event.key === "c") setView("tree");
  });
  addEventListener("resize", drawActivity);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawActivity);
  if (sessionIds.length > 1) {
    byId("session-label").hidden = false;
    const names = new Map(report.sessions.map((s) => [s.sessionId, s.name]));
    byId("session").append(...sessionIds.map((id, i) => make("option", { value: i, text: names.get(id) ? `${names.get(id)} (${id})` : id })));
  }
  drawHead(); drawTiles(); drawClock(); drawLanesHead();
  drawTallies("types", "type", types, typeCounts); drawTallies("streams", "stream", streams, streamCounts);
  apply();
  document.documentElement.dataset.drawn = String(Math.round(performance.now()));
})();
