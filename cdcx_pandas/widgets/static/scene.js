// What is to be seen, as plain values: scenes, places in time, scales and words.
//
// No document, no canvas and no clock here, so that all of it can be tested by calling it.
// A bar is [time_ms, open, high, low, close, volume, closed]; places on the time axis count
// bars, so that a missing bar is a hole and history can be put before without moving anything.

export const TIME = 0;
export const OPEN = 1;
export const HIGH = 2;
export const LOW = 3;
export const CLOSE = 4;
export const VOLUME = 5;
export const CLOSED = 6;

const BARS_MAX = 20000;
const TRADES_MAX = 60;
const PARTS = ["price", "bars", "trades", "book", "board"];

// ---------------------------------------------------------------------------------- scenes

export function blankScene() {
  const lists = { bars: [], trades: [], gaps: [], shows: [] };
  return { version: null, symbol: null, period: null, state: "connecting", why: "", ...lists };
}

// Returns the scene after a frame, and whether a frame was lost between (then a whole one is due).
export function mergeFrame(scene, frame) {
  const news = frame.scene;
  const same = news.symbol === scene.symbol && news.period === scene.period;
  if (news.key) return { scene: mergeWhole(same ? scene : blankScene(), news), lost: false };
  if (!same) return { scene, lost: true };
  const merged = { ...scene, ...news };
  if (news.bars) merged.bars = mergeBars(scene.bars, news.bars);
  merged.shows = PARTS.filter((part) => scene.shows.includes(part) || part in news);
  if (news.trades) merged.trades = mergeTrades(scene.trades, news.trades);
  return { scene: merged, lost: frame.since !== null && frame.since !== scene.version };
}

function mergeWhole(before, whole) {
  const shows = PARTS.filter((part) => part in whole); // a stream without depth has no ladder
  const merged = { ...blankScene(), ...whole, shows };
  const first = merged.bars.length ? merged.bars[0][TIME] : Infinity;
  const last = before.bars.length ? before.bars.at(-1)[TIME] : -Infinity;
  // History that was scrolled into stays, unless something is missing between it and the frame.
  if (last >= first) merged.bars = mergeBars(before.bars, merged.bars);
  return merged;
}

// Both lists ascend; where both have a bar, the newer list is right.
export function mergeBars(bars, news) {
  if (!news.length) return bars;
  let cut = bars.length;
  while (cut > 0 && bars[cut - 1][TIME] >= news[0][TIME]) cut -= 1;
  const changed = new Map(bars.slice(cut).map((bar) => [bar[TIME], bar]));
  for (const bar of news) changed.set(bar[TIME], bar);
  const tail = [...changed.values()].sort((a, b) => a[TIME] - b[TIME]);
  return bars.slice(0, cut).concat(tail).slice(-BARS_MAX);
}

export function mergeOlder(bars, older) {
  const first = bars.length ? bars[0][TIME] : Infinity;
  const fitting = older.filter((bar) => bar[TIME] < first);
  return fitting.slice(Math.max(0, fitting.length + bars.length - BARS_MAX)).concat(bars);
}

export function mergeTrades(trades, news) {
  const known = new Set(trades.map((trade) => trade[4]));
  return trades.concat(news.filter((trade) => !known.has(trade[4]))).slice(-TRADES_MAX);
}

// Levels with the sum of amounts up to each: [price, amount, total].
export function cumulate(levels) {
  let total = 0;
  return levels.map(([price, amount]) => [price, amount, (total += amount)]);
}

export function isRising(bar) {
  return bar[CLOSE] >= bar[OPEN];
}

// ------------------------------------------------------------------------------ places in time

// A clock turns times into places and back. Months differ in length, so they are counted.
export function clockOf(periodMs, anyBarMs) {
  if (!periodMs) return { placeOf: monthPlace, timeOf: monthTime };
  const phase = anyBarMs % periodMs; // weeks open on Monday, the epoch was a Thursday
  return {
    placeOf: (time) => (time - phase) / periodMs,
    timeOf: (place) => place * periodMs + phase,
  };
}

function monthPlace(time) {
  const date = new Date(time);
  const number = date.getUTCFullYear() * 12 + date.getUTCMonth();
  return number + (time - monthStart(number)) / (monthStart(number + 1) - monthStart(number));
}

function monthTime(place) {
  const number = Math.floor(place);
  const start = monthStart(number);
  return start + (place - number) * (monthStart(number + 1) - start);
}

function monthStart(number) {
  return Date.UTC(Math.floor(number / 12), ((number % 12) + 12) % 12);
}

// The index of the first bar at or after a time.
export function firstAt(bars, time) {
  let low = 0,
    high = bars.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (bars[middle][TIME] < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function barsBetween(bars, from, to) {
  return bars.slice(firstAt(bars, from), firstAt(bars, to));
}

// ------------------------------------------------------------------------------------- the view

// A view is {right, span}: the place of its right edge, and how many bars wide it is.
const SPAN_MIN = 8;
const AHEAD = 0.3;

export function panView(view, bars) {
  return { ...view, right: view.right + bars };
}

// Zooms so that the place under the pointer (a share of the width) stays where it is.
export function zoomView(view, factor, share, spanMax) {
  const span = Math.min(Math.max(view.span * factor, SPAN_MIN), spanMax);
  return { right: view.right - (view.span - span) * (1 - share), span };
}

// Keeps some bars in sight: at most a part of the view is empty at either end.
export function clampView(view, first, last) {
  const right = Math.min(view.right, last + 1 + view.span * AHEAD);
  return { ...view, right: Math.max(right, Math.min(first + view.span * 0.7, last + 1)) };
}

// ---------------------------------------------------------------------------------------- scales

export function priceRange(bars, also) {
  let low = Infinity,
    high = -Infinity;
  for (const bar of bars) {
    if (bar[LOW] < low) low = bar[LOW];
    if (bar[HIGH] > high) high = bar[HIGH];
  }
  for (const price of also) {
    if (price === null || price === undefined) continue;
    low = Math.min(low, price);
    high = Math.max(high, price);
  }
  if (low > high) return [0, 1];
  const margin = (high - low) * 0.08 || Math.abs(high) * 0.001 || 1;
  return [low - margin, high + margin];
}

export function niceTicks(low, high, count) {
  const raw = (high - low) / Math.max(count, 1);
  if (!(raw > 0)) return [];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 2.5, 5, 10].find((nice) => nice * power >= raw * 0.999);
  const ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high; tick += step) ticks.push(tick);
  return ticks;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const FIXED_STEPS = [1, 2, 5, 10, 15, 30]
  .map((n) => n * MINUTE)
  .concat(
    [1, 2, 3, 6, 12].map((n) => n * HOUR),
    [1, 2, 4].map((n) => n * DAY),
  );
const WEEK_STEPS = [7 * DAY, 14 * DAY];
const MONTH_STEPS = [1, 2, 3, 6, 12, 24, 60, 120];
const FIRST_MONDAY = 4 * DAY;

// Returns [[time, label], ..] in UTC, at least `apart` ms from each other. A label names what
// changed: an hour within a day, a day within a month, a year.
export function timeTicks(from, to, apart) {
  const times = timesBetween(from, to, apart);
  return times.map((time, i) => [time, timeLabel(time, i === 0)]);
}

function timesBetween(from, to, apart) {
  const fixed = FIXED_STEPS.find((step) => step >= apart);
  if (fixed) return multiples(from, to, fixed, 0);
  const weeks = WEEK_STEPS.find((step) => step >= apart);
  if (weeks) return multiples(from, to, weeks, FIRST_MONDAY);
  const months = MONTH_STEPS.find((step) => step * 28 * DAY >= apart) || MONTH_STEPS.at(-1);
  const times = [];
  for (let n = Math.ceil(monthPlace(from) / months) * months; monthStart(n) <= to; n += months) {
    times.push(monthStart(n));
  }
  return times;
}

function multiples(from, to, step, phase) {
  const times = [];
  for (let t = Math.ceil((from - phase) / step) * step + phase; t <= to; t += step) times.push(t);
  return times;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

function timeLabel(time, first) {
  const date = new Date(time);
  const day = `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`;
  if (time % DAY !== 0) return first ? `${day} ${hourMinute(date)}` : hourMinute(date);
  if (date.getUTCDate() !== 1) return day;
  return date.getUTCMonth() === 0
    ? `${date.getUTCFullYear()}`
    : first
      ? `${day} ${date.getUTCFullYear()}`
      : day;
}

function hourMinute(date) {
  return date.toISOString().slice(11, 16);
}

// ---------------------------------------------------------------------------------------- words

const MINUS = "−";
const UNKNOWN = "–";
const formats = new Map();

function numberFormat(decimals) {
  if (!formats.has(decimals)) {
    const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
    formats.set(decimals, new Intl.NumberFormat("en-US", digits));
  }
  return formats.get(decimals);
}

export function formatNumber(value, decimals) {
  if (value === null || value === undefined || !Number.isFinite(value)) return UNKNOWN;
  return numberFormat(Math.min(Math.max(decimals, 0), 12))
    .format(value)
    .replace("-", MINUS);
}

// As many decimals as tell apart numbers that lie `step` from each other.
export function decimalsFor(step) {
  return step > 0
    ? Math.max(0, Math.ceil(-Math.log10(step) - 1e-9) + (isTwoAndHalf(step) ? 1 : 0))
    : 0;
}

function isTwoAndHalf(step) {
  const lead = step / 10 ** Math.floor(Math.log10(step) + 1e-9);
  return Math.abs(lead - 2.5) < 1e-6;
}

// A number whose precision nobody told: seven digits.
export function formatPlain(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return UNKNOWN;
  if (value === 0) return "0";
  const decimals = Math.max(0, 6 - Math.floor(Math.log10(Math.abs(value))));
  const text = formatNumber(value, Math.min(decimals, 10));
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

// 1,234,567 as 1.23M: for sums, where the size matters and the last digit does not.
export function formatShort(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return UNKNOWN;
  const size = Math.abs(value);
  for (const [unit, letter] of [
    [1e9, "B"],
    [1e6, "M"],
    [1e3, "k"],
  ]) {
    if (size >= unit) return `${(value / unit).toPrecision(3).replace("-", MINUS)}${letter}`;
  }
  return size === 0
    ? "0"
    : formatNumber(value, size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 4);
}

export function formatChange(fraction) {
  if (fraction === null || fraction === undefined) return UNKNOWN;
  const sign = fraction > 0 ? "+" : fraction < 0 ? MINUS : "";
  return `${sign}${Math.abs(fraction * 100).toFixed(2)} %`;
}

export function arrowOf(fraction) {
  return fraction > 0 ? "▲" : fraction < 0 ? "▼" : "";
}

export function formatAge(seconds) {
  if (seconds === null || seconds === undefined) return "none yet";
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

export function formatMemory(bytes) {
  return bytes ? `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB` : UNKNOWN;
}

export function formatClock(time) {
  return new Date(time).toISOString().slice(11, 19);
}

export function formatMoment(time, periodMs) {
  const text = new Date(time).toISOString();
  const day = `${Number(text.slice(8, 10))} ${MONTHS[Number(text.slice(5, 7)) - 1]} ${text.slice(0, 4)}`;
  return periodMs && periodMs < DAY ? `${day} ${text.slice(11, 16)}` : day;
}

export function describeGap([channel, start, end, repaired, reason]) {
  const until = end === null ? "now" : formatClock(end);
  const how = repaired ? "repaired" : "not received";
  return `${channel} ${formatClock(start)}–${until} ${how}${reason ? `: ${reason}` : ""}`;
}

// ------------------------------------------------------------------------------------- measures

export function quantile(numbers, share) {
  if (!numbers.length) return null;
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

// Whether a CSS colour ("rgb(17, 17, 17)") is a dark one: what is written on it must be light.
export function isDark(colour) {
  const [r, g, b, alpha = 1] = (colour.match(/[\d.]+/g) || [255, 255, 255]).map(Number);
  return alpha > 0 && 0.2126 * r + 0.7152 * g + 0.0722 * b < 128;
}
