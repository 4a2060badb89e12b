// The live view: what Python sends becomes a picture, and what hands do becomes orders.
//
// One store per widget takes the messages; each place that shows the widget is a view of parts,
// drawn at most once per animation frame. Nothing here asks any machine for anything: data comes
// over the notebook's own wire, and orders go back over it.

import { Chart, drawDepth } from "./chart.js";
import {
  CLOSE,
  HIGH,
  LOW,
  OPEN,
  TIME,
  VOLUME,
  arrowOf,
  blankScene,
  cumulate,
  describeGap,
  formatAge,
  formatChange,
  formatClock,
  formatMemory,
  formatMoment,
  formatNumber,
  formatPlain,
  formatShort,
  isDark,
  isRising,
  mergeFrame,
  mergeOlder,
  quantile,
} from "./scene.js";

const STALE_MS = 3000; // without a frame
const NOTE_MS = 20000;
const TICK_MS = 500;
const HELLO_MS = 1000;
const LEVELS = 10;
const TAPE_ROWS = 24;
const LAGS_KEPT = 300;

// ------------------------------------------------------------------------------------- store

// What is known, whoever looks at it. `told` is the last message with a scene; `held` is the
// scene that a pause holds; `mine` is a pause or resume that Python has not confirmed yet.
export function createStore(now) {
  return {
    bornAt: now,
    model: null,
    views: new Set(),
    scene: blankScene(),
    told: null,
    heardAt: null,
    saidHelloAt: 0,
    held: null,
    withheldHere: 0,
    mine: null,
    note: null,
    waits: null,
    frozen: null,
  };
}

export function receive(store, message, now) {
  const take = {
    scene: takeScene,
    beat: takeBeat,
    older: takeOlder,
    note: takeNote,
    refused: takeRefusal,
    frozen: takeEnd,
  }[message.kind];
  if (!take || store.frozen) return;
  take(store, message, now);
  holdOrRelease(store);
  for (const view of store.views) view.schedule();
}

function takeScene(store, message, now) {
  const { scene, lost } = mergeFrame(store.scene, message);
  if (isPaused(store)) store.withheldHere += 1;
  const moved = scene.symbol !== store.scene.symbol || scene.period !== store.scene.period;
  if (moved) forgetOld(store);
  Object.assign(store, { scene, told: message, heardAt: now });
  if (lost) sayHello(store, now);
}

function forgetOld(store) {
  store.held = store.waits = null;
  for (const view of store.views) view.chart.forget();
}

// A pause holds the picture; how the stream does is told all the same.
function takeBeat(store, message, now) {
  const { version, ...slow } = message.scene;
  store.scene = { ...store.scene, ...slow };
  Object.assign(store, { told: message, heardAt: now });
}

function takeOlder(store, { symbol, period, bars }) {
  const { scene, held } = store;
  if (symbol !== scene.symbol || period !== scene.period) return;
  scene.bars = mergeOlder(scene.bars, bars);
  if (held && held !== scene) held.bars = mergeOlder(held.bars, bars);
  for (const view of store.views) view.chart.olderCame(bars.length);
}

function takeEnd(store, { png }) {
  store.frozen = { png };
  sayGone(store);
}

function takeNote(store, { text }, now) {
  store.note = { text, at: now };
}

function takeRefusal(store, { do: what }) {
  store.waits = null;
  if (what === "older") for (const view of store.views) view.chart.olderCame(null);
}

// Here first, then in Python: a pause must be instant though the kernel be busy. Until Python has
// confirmed it (by echoing its stamp), what Python says about pausing is old news.
export function isPaused(store) {
  const { mine, told } = store;
  if (mine && (!told || told.asked < mine.asked)) return mine.paused;
  return told ? told.paused : false;
}

function holdOrRelease(store) {
  if (!isPaused(store)) Object.assign(store, { held: null, withheldHere: 0 });
  else store.held ??= store.scene;
}

export function setPaused(store, paused, now) {
  store.mine = { paused, asked: now };
  holdOrRelease(store);
  say(store, { do: paused ? "pause" : "resume", asked: now });
  for (const view of store.views) view.schedule();
}

export function stateOf(store, now) {
  if (store.frozen) return ["stopped", ""];
  const silence = now - (store.heardAt ?? store.bornAt);
  if (store.heardAt === null && silence <= STALE_MS)
    return ["connecting", "waiting for the kernel"];
  if (silence > STALE_MS)
    return ["stale", `nothing from the kernel for ${formatAge(silence / 1000)}`];
  return [store.scene.state, store.scene.why || ""];
}

function say(store, order) {
  try {
    store.model?.send(order);
  } catch (error) {
    // the kernel is gone, and with it the wire
    store.note = { text: `The kernel cannot be told: ${error.message}`, at: Date.now() };
    store.waits = null;
  }
}

function sayHello(store, now) {
  if (now - store.saidHelloAt < HELLO_MS) return;
  store.saidHelloAt = now;
  say(store, { do: "hello" });
}

// When the picture stands everywhere, or here, and nobody looks: Python can forget the model.
function sayGone(store) {
  if (store.frozen && !store.views.size) say(store, { do: "gone" });
}

function waitFor(store, what, now) {
  store.waits = { what, since: now };
  for (const view of store.views) view.schedule();
}

function choose(store, symbol, period) {
  const { scene } = store;
  // Of every market only the list is watched: whichever is chosen, another stream shows it.
  const isList = scene.symbols.includes("*");
  if (!isList && symbol === scene.symbol && period === scene.period) return;
  const watched = !isList && scene.symbols.includes(symbol) && period === scene.period;
  waitFor(store, `Loading ${symbol} ${period}`, Date.now());
  say(store, watched ? { do: "choose", symbol } : { do: "other", symbol, period });
}

// ------------------------------------------------------------------------------------ elements

const FOCUSABLE = ["button", "select", "canvas"];

function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  // JupyterLab: a key pressed on this element is not the notebook's. It looks at the element that
  // has the focus before it looks at what that is in.
  if (FOCUSABLE.includes(tag)) element.setAttribute("data-lm-suppress-shortcuts", "true");
  element.append(...children);
  return element;
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function setData(element, name, value) {
  const text = String(value);
  if (element.dataset[name] !== text) element.dataset[name] = text;
}

const ICONS = {
  // drawn, as no font can be relied on to have them
  pause: "M3 2h3v10H3zM8 2h3v10H8z",
  resume: "M3 1.5v11l9-5.5z",
  stop: "M2.5 2.5h9v9h-9z",
  cut: "M1 6h4v2H1zM9 6h4v2H9zM5.5 2l1 3-1 0zM8.5 12l-1-3 1 0z",
  back: "M8.5 2L3 7l5.5 5V8.5H12v-3H8.5z",
};

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [key, value] of [
    ["viewBox", "0 0 14 14"],
    ["aria-hidden", "true"],
  ])
    svg.setAttribute(key, value);
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

function button(name, label, act) {
  const text = h("span", { class: "cx-word" }, label);
  return h(
    "button",
    {
      class: `cx-button cx-${name}`,
      type: "button",
      "aria-label": label,
      title: label,
      onclick: act,
    },
    icon(name),
    text,
  );
}

// ------------------------------------------------------------------------------ parts of a view

// Each part makes its elements once, and returns how to bring them up to date.

function headPart(store, head, more) {
  const last = h("span", { class: "cx-last" });
  const change = h("span", { class: "cx-change" });
  const quote = h("span");
  const day = h("span", { class: "cx-day" });
  const mark = h("span", { class: "cx-mark", hidden: "" }, "SIMULATED");
  head.append(h("div", { class: "cx-price" }, last, change), mark);
  more.append(quote, day);
  return (scene) => {
    const price = scene.price || {};
    const decimals = scene.decimals?.price ?? 2;
    setText(last, price.last == null ? "" : formatNumber(price.last, decimals));
    setText(
      change,
      price.change == null ? "" : `${arrowOf(price.change)} ${formatChange(price.change)}`,
    );
    setData(change, "way", Math.sign(price.change || 0));
    setText(quote, quoteText(price, decimals));
    setText(day, dayText(price, decimals));
    mark.hidden = !scene.simulated;
    more.hidden = last.hidden = change.hidden = !scene.shows.includes("price");
  };
}

function quoteText({ bid, ask }, decimals) {
  if (bid == null && ask == null) return "";
  const spread = bid == null || ask == null ? null : ask - bid;
  const [b, a, s] = [bid, ask, spread].map((price) => formatNumber(price, decimals));
  return `bid ${b}  ask ${a}  spread ${s}`;
}

function dayText({ high, low, volume }, decimals) {
  if (high == null && low == null) return "";
  const [from, to] = [low, high].map((price) => formatNumber(price, decimals));
  return `24 h ${from} to ${to}, volume ${formatShort(volume)}`;
}

function pickersPart(store, head) {
  const symbol = h("select", { class: "cx-symbol", "aria-label": "Symbol" });
  const period = h("select", { class: "cx-period", "aria-label": "Period" });
  const pick = () => choose(store, symbol.value, period.value);
  symbol.addEventListener("change", pick);
  period.addEventListener("change", pick);
  const back = button("back", "Back", () => say(store, { do: "home" }));
  head.append(h("div", { class: "cx-pickers" }, back, symbol, period));
  return (scene) => {
    fillSelect(
      symbol,
      withShown(scene.pickable || scene.symbols || [], scene.symbol),
      scene.symbol,
      store.waits,
    );
    fillSelect(period, withShown(scene.periods || [], scene.period), scene.period, store.waits);
    back.hidden = !store.told?.home;
    const label = `Back to ${nameOf(store.told?.home)}`;
    if (back.title !== label) Object.assign(back, { title: label, ariaLabel: label });
  };
}

// What a person reads for the symbol of a stream.
function nameOf(symbol) {
  return symbol === "*" ? "all markets" : symbol;
}

function withShown(options, shown) {
  return shown && !options.includes(shown) ? [shown, ...options] : options;
}

function fillSelect(select, options, value, waits) {
  const key = options.join(" ");
  if (select.dataset.options !== key) {
    select.replaceChildren(...options.map((option) => h("option", { value: option }, nameOf(option))));
    select.dataset.options = key;
    select.dataset.value = "";
  }
  // Set once per change, and not while a choice is on its way: else the choice would jump back.
  if (waits || select.dataset.value === value) {
    if (waits) select.dataset.value = "";
    return;
  }
  select.value = select.dataset.value = value;
}

function buttonsPart(store, root, head) {
  const pause = button("pause", "Pause", () => setPaused(store, true, Date.now()));
  const resume = button("resume", "Resume", () => setPaused(store, false, Date.now()));
  const cut = button("cut", "Cut the wire", () => say(store, { do: "cut" }));
  const stop = button("stop", "Stop", () => {
    waitFor(store, "Stopping", Date.now());
    say(store, { do: "stop" });
  });
  const state = h("span", { class: "cx-state" });
  const held = h("span", { class: "cx-held", hidden: "" });
  head.append(h("div", { class: "cx-actions" }, held, state, cut, pause, resume, stop));
  return (scene, now) => {
    const paused = isPaused(store);
    moveFocus(pause.hidden !== paused, root, paused ? pause : resume, paused ? resume : pause);
    pause.hidden = paused;
    resume.hidden = !paused;
    cut.hidden = !store.scene.can_cut;
    stop.disabled = store.waits?.what === "Stopping";
    held.hidden = !paused;
    const withheld = store.withheldHere + (store.told?.withheld || 0);
    setText(held, `PAUSED, ${withheld} ${withheld === 1 ? "update" : "updates"} withheld`);
    const [word] = stateOf(store, now);
    setText(state, word.toUpperCase());
    setData(state, "state", word);
    setData(root, "state", word);
    setData(root, "paused", paused);
  };
}

// The button that was pressed gives way to the other; the focus goes with it.
function moveFocus(changes, root, from, to) {
  if (!changes || root.getRootNode().activeElement !== from) return;
  to.hidden = false;
  to.focus();
}

function chartPart(store, view, section) {
  const canvas = h("canvas", {
    class: "cx-candles",
    role: "img",
    tabindex: "0",
    "aria-label": "Chart",
  });
  const readout = h("div", { class: "cx-readout" });
  const change = (name, label, act) =>
    h(
      "button",
      { class: "cx-zoom", type: "button", "aria-label": label, title: label, onclick: act },
      name,
    );
  view.chart = new Chart(canvas, view.schedule, (time, count) => {
    say(store, { do: "older", symbol: store.scene.symbol, before_ms: time, count });
  });
  const newest = change("Newest", "Go to the newest bar", () => view.chart.goTo("newest"));
  section.append(
    canvas,
    readout,
    h(
      "div",
      { class: "cx-zooms" },
      newest,
      change("−", "Zoom out", () => view.chart.zoom(1.25, 0.5)),
      change("+", "Zoom in", () => view.chart.zoom(1 / 1.25, 0.5)),
    ),
  );
  let describedAt = 0;
  return (scene, now, colours) => {
    section.hidden = !scene.shows.includes("bars") && scene.version !== null;
    if (section.hidden) return;
    view.chart.draw(scene, colours);
    newest.hidden = view.chart.follows;
    setData(readout, "way", drawReadout(readout, view.chart, scene));
    if (now - describedAt < 1000) return; // who listens to it does not want it ten times a second
    describedAt = now;
    canvas.setAttribute("aria-label", view.chart.describe(scene));
  };
}

function drawReadout(readout, chart, scene) {
  const bar = chart.barInSight();
  const gap = chart.gapInSight();
  const decimals = scene.decimals?.price ?? 2;
  const words = [];
  if (bar) {
    const [o, h, l, c] = [OPEN, HIGH, LOW, CLOSE].map((at) => formatNumber(bar[at], decimals));
    words.push(formatMoment(bar[TIME], scene.period_ms));
    const told = { O: o, H: h, L: l, C: c, V: formatShort(bar[VOLUME]) };
    words.push(...Object.entries(told).map(([name, value]) => `${name}\u00a0${value}`));
    words.push(formatChange(bar[CLOSE] / bar[OPEN] - 1));
  } else if (chart.cross) words.push("no bar");
  if (gap) words.push(describeGap(gap));
  setText(readout, words.join("  "));
  return bar ? (isRising(bar) ? 1 : -1) : 0;
}

function bookPart(section) {
  const ladder = h(
    "table",
    { class: "cx-ladder" },
    h("caption", {}, "Depth"),
    heads("price", "amount", "total"),
  );
  const asks = addRows(ladder, LEVELS, 3);
  const [middle] = addRows(ladder, 1, 1);
  middle.row.className = "cx-middle";
  middle.cells[0].colSpan = 3;
  const bids = addRows(ladder, LEVELS, 3);
  const canvas = h("canvas", { class: "cx-depth", role: "img", "aria-label": "Depth chart" });
  section.append(ladder, canvas);
  return (scene, now, colours) => {
    const book = scene.book;
    section.hidden = !scene.shows.includes("book") || !book;
    if (section.hidden) return;
    setData(section, "stale", book.stale ? 1 : 0);
    const [up, down] = [cumulate(book.bids), cumulate(book.asks)];
    const most = Math.max(
      up[LEVELS - 1]?.[2] ?? up.at(-1)?.[2] ?? 0,
      down[LEVELS - 1]?.[2] ?? down.at(-1)?.[2] ?? 0,
    );
    fillLevels([...asks].reverse(), down, most, scene, colours.downSoft);
    fillLevels(bids, up, most, scene, colours.upSoft);
    setText(middle.cells[0], spreadText(up, down, scene, book));
    drawDepth(canvas, up, down, scene.decimals?.price ?? 2, colours);
    canvas.setAttribute(
      "aria-label",
      `Depth chart, ${book.bids.length} bids and ${book.asks.length} asks`,
    );
  };
}

function heads(...names) {
  return h("thead", {}, h("tr", {}, ...names.map((name) => h("th", { scope: "col" }, name))));
}

function addRows(table, count, width) {
  const body = h("tbody");
  table.append(body);
  return Array.from({ length: count }, () => {
    const cells = Array.from({ length: width }, () => h("td"));
    const row = h("tr", {}, ...cells);
    body.append(row);
    return { row, cells };
  });
}

function fillLevels(rows, levels, most, scene, colour) {
  rows.forEach(({ row, cells }, i) => {
    const [price, amount, total] = levels[i] || [];
    setText(cells[0], price === undefined ? "" : formatNumber(price, scene.decimals?.price ?? 2));
    setText(
      cells[1],
      price === undefined ? "" : formatNumber(amount, Math.min(scene.decimals?.amount ?? 4, 6)),
    );
    setText(cells[2], price === undefined ? "" : formatShort(total));
    const share =
      price === undefined || !most ? 0 : Math.min(100, Math.round((total / most) * 100));
    const bar = `linear-gradient(to left, ${colour} ${share}%, transparent ${share}%)`;
    if (row.dataset.bar !== bar) row.style.background = row.dataset.bar = bar;
  });
}

function spreadText(bids, asks, scene, book) {
  if (book.stale) return "depth is stale";
  if (!bids.length || !asks.length) return "one side is empty";
  const spread = asks[0][0] - bids[0][0];
  const bps = (spread / ((asks[0][0] + bids[0][0]) / 2)) * 10000;
  return `spread ${formatNumber(spread, scene.decimals?.price ?? 2)} (${bps.toFixed(1)} bps)`;
}

function tapePart(section) {
  const table = h(
    "table",
    { class: "cx-trades" },
    h("caption", {}, "Trades"),
    heads("time", "price", "amount"),
  );
  const rows = addRows(table, TAPE_ROWS, 3);
  section.append(table);
  return (scene) => {
    section.hidden = !scene.shows.includes("trades");
    if (section.hidden) return;
    const newest = scene.trades.slice(-TAPE_ROWS).reverse();
    rows.forEach(({ row, cells }, i) => fillTrade(row, cells, newest[i], scene));
  };
}

function fillTrade(row, cells, trade, scene) {
  const [time, price, amount, buy] = trade || [];
  setText(cells[0], trade ? formatClock(time) : "");
  setText(
    cells[1],
    trade ? `${buy ? "▲" : "▼"} ${formatNumber(price, scene.decimals?.price ?? 2)}` : "",
  );
  setText(cells[2], trade ? formatNumber(amount, Math.min(scene.decimals?.amount ?? 4, 6)) : "");
  setData(row, "way", trade ? (buy ? 1 : -1) : 0);
}

function boardPart(store, section) {
  const table = h(
    "table",
    { class: "cx-markets" },
    h("caption", {}, "Markets"),
    heads("market", "last", "24 h", "bid", "ask", "volume"),
  );
  const body = h("tbody");
  table.append(body);
  section.append(table);
  const rows = new Map();
  return (scene) => {
    section.hidden = !scene.shows.includes("board");
    if (section.hidden) return;
    for (const market of scene.board || []) {
      if (!rows.has(market[0])) rows.set(market[0], addMarket(store, body, market[0]));
      fillMarket(rows.get(market[0]), market, scene.symbol);
    }
    dropMarkets(rows, scene.board || []);
  };
}

function addMarket(store, body, symbol) {
  const name = h("button", { class: "cx-market", type: "button" }, symbol);
  const cells = Array.from({ length: 6 }, () => h("td"));
  cells[0].append(name);
  const row = h("tr", { onclick: () => choose(store, symbol, store.scene.period) }, ...cells);
  body.append(row);
  return { row, cells, name };
}

function fillMarket({ row, cells, name }, [symbol, last, bid, ask, change, volume], shown) {
  setText(cells[1], formatPlain(last));
  setText(cells[2], change == null ? "–" : `${arrowOf(change)} ${formatChange(change)}`);
  setText(cells[3], formatPlain(bid));
  setText(cells[4], formatPlain(ask));
  setText(cells[5], formatShort(volume));
  setData(row, "way", Math.sign(change || 0));
  if (symbol === shown) name.setAttribute("aria-current", "true");
  else name.removeAttribute("aria-current");
  setData(row, "shown", symbol === shown);
}

function dropMarkets(rows, board) {
  if (rows.size === board.length) return;
  const there = new Set(board.map(([symbol]) => symbol));
  for (const [symbol, { row }] of rows) {
    if (there.has(symbol)) continue;
    row.remove();
    rows.delete(symbol);
  }
}

function healthPart(store, foot, spoken) {
  const word = h("b");
  const text = h("span", { class: "cx-facts" });
  const note = h("span", { class: "cx-note" });
  foot.append(word, text, note);
  let announced = null;
  return (scene, now) => {
    const [state, why] = stateOf(store, now);
    setText(word, state);
    setText(text, [why, ...healthWords(store, now)].filter(Boolean).join(" · "));
    setText(note, noteText(store, now));
    setData(foot, "state", state);
    const sentence = `${nameOf(scene.symbol) ?? "The view"} is ${state}${isPaused(store) ? ", paused" : ""}`;
    if (announced !== sentence) setText(spoken, (announced = sentence));
  };
}

function healthWords(store, now) {
  const health = store.scene.health;
  if (!health) return [];
  const silence = (now - store.heardAt) / 1000;
  const grown = silence > 1.5 ? silence : 0; // ages grow though nobody tells
  const ages = Object.entries(health.ages || {}).map(
    ([channel, age]) => `${channel} ${formatAge(age === null ? null : age + grown)}`,
  );
  return [
    ages.length ? `age: ${ages.join(", ")}` : "",
    `${formatNumber(health.messages_per_s, health.messages_per_s < 10 ? 1 : 0)} messages/s`,
    `reconnects ${health.reconnects}`,
    `repaired ${health.repaired}`,
    `lost ${health.lost}`,
    health.memory_bytes ? formatMemory(health.memory_bytes) : "",
    health.callback_errors ? `errors in your functions ${health.callback_errors}` : "",
  ];
}

function noteText(store, now) {
  if (store.waits) return waitText(store.waits, now);
  if (store.note && now - store.note.at < NOTE_MS) return store.note.text;
  return store.scene.health?.last_error || "";
}

// Orders wait while a cell runs; frames do not. Who sees the one must be told of the other.
function waitText({ what, since }, now) {
  return now - since < STALE_MS
    ? `${what}…`
    : `${what}… as soon as the running cell lets the kernel answer`;
}

// ----------------------------------------------------------------------------------- one view

const COLOURS = [
  "ink",
  "quiet",
  "paper",
  "grid",
  "cross",
  "up",
  "down",
  "up-soft",
  "down-soft",
  "hole",
  "healed",
  "hatch",
];

// The notebook's theme decides; it may change at any time, and its files may come late.
function readColours(root) {
  const style = getComputedStyle(root);
  setData(root, "theme", isDark(style.backgroundColor) ? "dark" : "light");
  const colours = { font: `11px ${style.fontFamily}` };
  for (const name of COLOURS) {
    const key = name.replace(/-(.)/, (_, letter) => letter.toUpperCase());
    colours[key] = style.getPropertyValue(`--cx-${name}`).trim() || "#888";
  }
  return colours;
}

function createView(store, root) {
  const view = { schedule, chart: null };
  const part = (tag, name) => root.appendChild(h(tag, { class: name }));
  const head = part("div", "cx-head");
  const more = part("div", "cx-more");
  const main = part("div", "cx-main");
  const [board, chart, book, tape] = ["board", "chart", "book", "tape"].map((name) =>
    main.appendChild(h("section", { class: `cx-${name}` })),
  );
  const foot = part("div", "cx-health");
  const spoken = root.appendChild(
    h("div", { class: "cx-spoken", "aria-live": "polite", role: "status" }),
  );
  const pickers = pickersPart(store, head);
  const picture = [
    headPart(store, head, more),
    chartPart(store, view, chart),
    bookPart(book),
    tapePart(tape),
    boardPart(store, board),
  ];
  const truth = [pickers, buttonsPart(store, root, head), healthPart(store, foot, spoken)];
  let frame = null,
    frames = 0,
    drawn = null;
  const lags = [];

  function schedule() {
    frame ??= requestAnimationFrame(draw);
  }

  function draw() {
    frame = null;
    if (store.frozen) return showPicture(root, store);
    const now = Date.now();
    const scene = store.held || store.scene;
    const colours = readColours(root);
    for (const update of picture) attempt(() => update(scene, now, colours));
    for (const update of truth) attempt(() => update(store.scene, now));
    measure(scene);
  }

  // What cannot be drawn is said; the rest is drawn all the same.
  function attempt(update) {
    try {
      update();
    } catch (error) {
      store.note = { text: `not drawn: ${error.message}`, at: Date.now() };
    }
  }

  // For tests, and for whoever wants to know how the view does.
  function measure(scene) {
    setData(root, "frames", (frames += 1));
    setData(root, "last", scene.price?.last ?? "");
    setData(root, "bars", scene.bars.length);
    setData(root, "symbol", scene.symbol ?? "");
    const { view: sight, follows } = view.chart;
    if (sight)
      setData(
        root,
        "view",
        `${sight.right.toFixed(2)} ${sight.span.toFixed(2)} ${follows ? "follows" : "stays"}`,
      );
    if (store.told === drawn) return;
    drawn = store.told;
    lags.push(Date.now() - drawn.sent_ms);
    if (lags.length > LAGS_KEPT) lags.shift();
    setData(root, "lag", lags.at(-1).toFixed(1));
    setData(root, "lag95", quantile(lags, 0.95).toFixed(1));
  }

  return view;
}

// The end: where the output could not be replaced (a reloaded page), the picture stands here.
function showPicture(root, { frozen }) {
  setData(root, "state", "stopped");
  const source = `data:image/png;base64,${frozen.png}`;
  root.replaceChildren(
    frozen.png ? h("img", { src: source, alt: "The last picture before the stop" }) : "stopped",
  );
}

function render(store, el) {
  const root = h("div", { class: "cdcx-live" });
  el.append(root);
  const view = createView(store, root);
  store.views.add(view);
  const sizes = new ResizeObserver(view.schedule); // the first size is 0
  sizes.observe(root);
  const themes = new MutationObserver(view.schedule);
  for (const page of [document.documentElement, document.body])
    themes.observe(page, { attributes: true });
  const ticks = setInterval(view.schedule, TICK_MS);
  if (store.heardAt === null) sayHello(store, Date.now());
  view.schedule();
  return () => {
    clearInterval(ticks);
    sizes.disconnect();
    themes.disconnect();
    view.chart.dispose();
    store.views.delete(view);
    sayGone(store);
  };
}

// A factory, so that each widget has a store of its own: the models that `initialize` and
// `render` are given are different proxies, and no key to anything.
export default () => {
  const store = createStore(Date.now());
  return {
    initialize({ model }) {
      store.model = model;
      model.on("msg:custom", (message) => receive(store, message, Date.now()));
      sayHello(store, Date.now());
    },
    render({ el }) {
      return render(store, el);
    },
  };
};
