// Two canvases: candles with volume, and the depth of the book.
//
// A chart draws the scene it is given, in the colours it is given, and knows where it is looked
// at: pan, zoom and crosshair live here. Where scenes come from is not known here.

import {
  CLOSE,
  CLOSED,
  HIGH,
  LOW,
  OPEN,
  TIME,
  VOLUME,
  barsBetween,
  clampView,
  clockOf,
  decimalsFor,
  describeGap,
  formatMoment,
  formatNumber,
  formatShort,
  isRising,
  niceTicks,
  panView,
  priceRange,
  timeTicks,
  zoomView,
} from "./scene.js";

const AXIS_BOTTOM = 22; // pixels, as all that ends in PX
const VOLUME_SHARE = 0.18;
const SLOT_PX = 8; // a bar and the space to the next, until somebody zooms
const SLOT_PX_MIN = 1;
const GAP_PX_MIN = 4;
const STRIP_PX = 6;
const TICK_PX = 44;
const TIME_TICK_PX = 84;
const OLDER_AT_ONCE = 500;

// Makes a canvas as sharp as the screen, and returns its context in CSS pixels.
export function contextOf(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = window.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  const ctx = canvas.getContext("2d");
  ctx.setTransform(scale, 0, 0, scale, 0, 0);
  ctx.clearRect(0, 0, width, height);
  return { ctx, width, height };
}

export class Chart {
  // `changed()` is called when the chart must be drawn again, `wantOlder(time, count)` when the
  // person has scrolled to where the bars end.
  constructor(canvas, changed, wantOlder) {
    this.canvas = canvas;
    this.changed = changed;
    this.wantOlder = wantOlder;
    this.pointers = new Map();
    this.forget();
    this.listen();
  }

  // Another symbol or period: nothing of the old view means anything.
  forget() {
    this.view = null; // made when the first bars and a width are there
    this.follows = true;
    this.zoomed = false;
    this.cross = null;
    this.askedBefore = null;
    this.historyEnds = false;
  }

  // ------------------------------------------------------------------------------- drawing

  draw(scene, colours) {
    const { ctx, width, height } = contextOf(this.canvas);
    this.scene = scene;
    if (!width || !height) return;
    ctx.font = colours.font;
    if (!scene.bars.length) {
      this.layout = null;
      return drawEmpty(ctx, width, height, scene, colours);
    }
    const at = (this.layout = this.arrange(ctx, scene, width, height));
    drawGrid(ctx, at, colours);
    drawGaps(ctx, at, scene, colours);
    drawCandles(ctx, at, colours);
    if (scene.simulated) drawMark(ctx, at, "SIMULATED", colours);
    drawLast(ctx, at, scene, colours);
    if (this.cross) drawCross(ctx, at, this.cross, scene, colours);
    this.askForOlder(scene, at);
  }

  // Where everything goes: the one place that turns times and prices into pixels.
  arrange(ctx, scene, width, height) {
    const { bars } = scene;
    const clock = clockOf(scene.period_ms, bars[0][TIME]);
    const first = clock.placeOf(bars[0][TIME]),
      last = clock.placeOf(bars.at(-1)[TIME]);
    const decimals = scene.decimals?.price ?? 2;
    const axis = Math.ceil(ctx.measureText(formatNumber(bars.at(-1)[HIGH], decimals)).width) + 14;
    const plot = { width: Math.max(40, width - axis), height: height - AXIS_BOTTOM };
    this.settle(first, last, plot.width);
    const { right, span } = this.view;
    const slot = plot.width / span;
    const xOf = (place) => (place - right + span) * slot;
    const seen = barsBetween(bars, clock.timeOf(right - span - 1), clock.timeOf(right));
    const [low, high] = priceRange(seen, this.follows ? [scene.price?.last] : []);
    const prices = plot.height * (1 - VOLUME_SHARE);
    const yOf = (price) => ((high - price) / (high - low)) * (prices - 8) + 4;
    const priceOf = (y) => high - ((y - 4) / (prices - 8)) * (high - low);
    return {
      ctx,
      bars,
      seen,
      clock,
      first,
      last,
      decimals,
      plot,
      width,
      height,
      right,
      span,
      slot,
      xOf,
      yOf,
      priceOf,
      low,
      high,
      prices,
    };
  }

  settle(first, last, width) {
    this.view ??= { right: 0, span: 0 };
    if (!this.zoomed) this.view.span = Math.max(20, width / SLOT_PX); // until somebody knows better
    this.spanMax = width / SLOT_PX_MIN;
    if (this.follows) this.view.right = last + 1 + this.view.span * 0.03;
    this.view = clampView(this.view, first, last);
  }

  askForOlder(scene, at) {
    const time = at.bars[0][TIME];
    const near = at.right - at.span < at.first + at.span * 0.25;
    if (!near || this.historyEnds || this.askedBefore === time || this.follows) return;
    this.askedBefore = time;
    this.wantOlder(time, OLDER_AT_ONCE);
  }

  // The answer to `wantOlder`; after a refusal the next scroll asks again.
  olderCame(count) {
    if (count === 0) this.historyEnds = true;
    if (count === null) this.askedBefore = null;
  }

  // ------------------------------------------------------------------------------- the bar in sight

  // The bar under the crosshair, null where none is; without a crosshair the newest.
  barInSight() {
    if (!this.layout) return null;
    if (!this.cross) return this.layout.bars.at(-1);
    const { clock, right, span, slot, seen } = this.layout;
    const place = Math.floor(this.cross.x / slot + right - span + 1e-9);
    return seen.find((bar) => Math.round(clock.placeOf(bar[TIME])) === place) ?? null;
  }

  gapInSight() {
    if (!this.layout || !this.cross) return null;
    const { xOf, clock } = this.layout;
    const at = this.cross.x;
    return (
      (this.scene.gaps || []).find(([, start, end]) => {
        const from = xOf(clock.placeOf(start)),
          to = xOf(clock.placeOf(end ?? this.scene.now_ms));
        return at >= from - 2 && at <= Math.max(to, from + GAP_PX_MIN) + 2;
      }) ?? null
    );
  }

  describe(scene) {
    if (!this.layout) return `Chart of ${scene.symbol ?? "nothing"}: no bars yet`;
    const { seen, decimals } = this.layout;
    const name = `Candles of ${scene.symbol}, ${scene.period}`;
    if (!seen.length) return `${name}: no bars in this stretch`;
    const [from, to] = [seen[0], seen.at(-1)].map((bar) =>
      formatMoment(bar[TIME], scene.period_ms),
    );
    const close = formatNumber(seen.at(-1)[CLOSE], decimals);
    return `${name}: ${seen.length} bars from ${from} to ${to} UTC, close ${close}`;
  }

  // ------------------------------------------------------------------------------- hands

  listen() {
    const on = (name, act, options) => this.canvas.addEventListener(name, act.bind(this), options);
    on("pointerdown", this.press);
    on("pointermove", this.move);
    on("pointerup", this.release);
    on("pointercancel", this.release);
    on("pointerleave", this.hideCross);
    on("wheel", this.roll, { passive: false });
    on("keydown", this.key);
    on("dblclick", () => this.goTo("newest"));
    // A scroll through the notebook that happens to reach the chart goes on scrolling.
    this.scrolledAt = -Infinity;
    this.onScroll = (event) => {
      if (!this.canvas.contains(event.target)) this.scrolledAt = event.timeStamp;
    };
    window.addEventListener("wheel", this.onScroll, { passive: true, capture: true });
  }

  dispose() {
    window.removeEventListener("wheel", this.onScroll, { capture: true });
  }

  press(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, placeIn(this.canvas, event));
  }

  release(event) {
    this.pointers.delete(event.pointerId);
  }

  move(event) {
    const here = placeIn(this.canvas, event);
    const before = this.pointers.get(event.pointerId);
    if (before) {
      const others = [...this.pointers].filter(([id]) => id !== event.pointerId);
      if (others.length) this.pinch(before, here, others[0][1]);
      else this.pan(-(here.x - before.x) / (this.layout?.slot || 1));
      this.pointers.set(event.pointerId, here);
    }
    this.cross = before && event.pointerType === "touch" ? null : here;
    this.changed();
  }

  pinch(before, here, other) {
    const [was, is] = [before, here].map((p) =>
      Math.max(10, Math.hypot(p.x - other.x, p.y - other.y)),
    );
    this.zoom(was / is, (here.x + other.x) / 2 / (this.layout?.plot.width || 1));
  }

  roll(event) {
    if (event.timeStamp - this.scrolledAt < 300) {
      this.scrolledAt = event.timeStamp;
      return;
    }
    event.preventDefault();
    const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (sideways) return this.pan(event.deltaX / (this.layout?.slot || 1));
    const strength = event.ctrlKey ? 0.01 : 0.0015; // a pinch on a touch pad comes as ctrl + wheel
    const pixels = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
    const share = placeIn(this.canvas, event).x / (this.layout?.plot.width || 1);
    this.zoom(Math.exp(pixels * strength), Math.min(share, 1));
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const step = (this.view?.span || 0) * (event.shiftKey ? 0.5 : 0.1);
    const acts = {
      ArrowLeft: () => this.pan(-step),
      ArrowRight: () => this.pan(step),
      ArrowUp: () => this.zoom(1 / 1.25, 1),
      ArrowDown: () => this.zoom(1.25, 1),
      "+": () => this.zoom(1 / 1.25, 1),
      "=": () => this.zoom(1 / 1.25, 1),
      "-": () => this.zoom(1.25, 1),
      Home: () => this.goTo("oldest"),
      End: () => this.goTo("newest"),
      Escape: () => this.hideCross(),
    };
    if (!acts[event.key]) return;
    acts[event.key]();
    event.preventDefault();
    event.stopPropagation();
  }

  hideCross() {
    this.cross = null;
    this.changed();
  }

  pan(bars) {
    if (!this.layout) return;
    this.look(panView(this.view, bars));
  }

  zoom(factor, share) {
    if (!this.layout) return;
    this.zoomed = true;
    this.look(zoomView(this.view, factor, this.follows ? 1 : share, this.spanMax));
  }

  goTo(end) {
    if (!this.layout) return;
    const { first, last } = this.layout;
    this.look({
      ...this.view,
      right: end === "newest" ? last + 1 + this.view.span * 0.03 : first + this.view.span,
    });
  }

  // The view follows the newest bar as long as that is in it; else it stays where it was put.
  look(view) {
    const { first, last } = this.layout;
    this.view = clampView(view, first, last);
    const edge = this.view.right - last - 1;
    this.follows = edge >= -0.5 && edge <= this.view.span * 0.06;
    this.changed();
  }
}

function placeIn(canvas, event) {
  const box = canvas.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

// ------------------------------------------------------------------------------------- candles

function drawEmpty(ctx, width, height, scene, colours) {
  ctx.fillStyle = colours.quiet;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  const waits = scene.version === null || scene.state === "connecting";
  ctx.fillText(
    waits ? "Waiting for the first bars" : "No bars were received",
    width / 2,
    height / 2,
  );
}

function drawGrid(ctx, at, colours) {
  ctx.strokeStyle = colours.grid;
  ctx.fillStyle = colours.quiet;
  ctx.lineWidth = 1;
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  const ticks = niceTicks(at.low, at.high, at.prices / TICK_PX);
  const decimals = Math.max(
    ticks.length > 1 ? decimalsFor(ticks[1] - ticks[0]) : 0,
    Math.min(at.decimals, 2),
  );
  for (const tick of ticks) {
    const y = at.yOf(tick);
    line(ctx, 0, y, at.plot.width, y);
    ctx.fillText(formatNumber(tick, decimals), at.plot.width + 7, y);
  }
  line(ctx, at.plot.width, 0, at.plot.width, at.plot.height);
  line(ctx, 0, at.plot.height, at.plot.width, at.plot.height);
  drawTimes(ctx, at);
}

function drawTimes(ctx, at) {
  const from = at.clock.timeOf(at.right - at.span),
    to = at.clock.timeOf(at.right);
  const y = at.plot.height + AXIS_BOTTOM / 2 + 1;
  for (const [time, label] of timeTicks(from, to, ((to - from) / at.plot.width) * TIME_TICK_PX)) {
    const x = at.xOf(at.clock.placeOf(time));
    line(ctx, x, 0, x, at.plot.height);
    const half = ctx.measureText(label).width / 2;
    ctx.textAlign = x < half ? "left" : "center";
    if (x + half < at.plot.width + 4) ctx.fillText(label, x < half ? 0 : x, y);
  }
  ctx.textAlign = "left";
  ctx.fillText("UTC", at.plot.width + 7, y);
}

// Rising bars hollow, falling ones filled: to be read without colour too. The bar that is still
// forming is drawn open at its sides, as a dashed outline.
function drawCandles(ctx, at, colours) {
  const body = Math.max(1, Math.min(at.slot * 0.7, 24));
  const volumes = at.plot.height - at.prices;
  const most = Math.max(...at.seen.map((bar) => bar[VOLUME] || 0), 1e-12);
  ctx.save();
  ctx.beginPath();
  ctx.rect(0, 0, at.plot.width, at.plot.height);
  ctx.clip();
  for (const bar of at.seen) {
    const x = at.xOf(Math.round(at.clock.placeOf(bar[TIME])) + 0.5);
    const rising = isRising(bar);
    ctx.strokeStyle = ctx.fillStyle = rising ? colours.up : colours.down;
    const forming = !bar[CLOSED];
    const volume = ((bar[VOLUME] || 0) / most) * (volumes - 6);
    drawBox(ctx, x, at.plot.height - volume, volume, body, !rising, forming);
    drawCandle(ctx, at, bar, x, body, rising, forming);
  }
  ctx.restore();
  ctx.fillStyle = colours.quiet;
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  ctx.fillText(formatShort(most), at.plot.width + 7, at.prices + 10);
}

function drawCandle(ctx, at, bar, x, body, rising, forming) {
  const top = at.yOf(Math.max(bar[OPEN], bar[CLOSE])),
    bottom = at.yOf(Math.min(bar[OPEN], bar[CLOSE]));
  ctx.lineWidth = 1;
  line(ctx, x, at.yOf(bar[HIGH]), x, top);
  line(ctx, x, bottom, x, at.yOf(bar[LOW]));
  drawBox(ctx, x, top, Math.max(bottom - top, 1), body, !rising, forming);
}

function drawBox(ctx, x, y, height, width, filled, forming) {
  if (height <= 0) return;
  if (width < 3) return ctx.fillRect(x - width / 2, y, width, height);
  const left = Math.round(x - width / 2) + 0.5;
  if (forming) {
    ctx.setLineDash([3, 2]);
    ctx.strokeRect(left, y, Math.round(width) - 1, height);
    ctx.setLineDash([]);
    return;
  }
  if (filled) ctx.fillRect(left - 0.5, y, Math.round(width), height);
  else ctx.strokeRect(left, y, Math.round(width) - 1, height);
}

// What is missing in the klines goes through the whole chart. Holes in other channels leave the
// candles whole, so they are marked in a strip at the foot.
function drawGaps(ctx, at, scene, colours) {
  let labelled = -Infinity;
  for (const [channel, start, end, repaired] of scene.gaps || []) {
    const from = at.xOf(at.clock.placeOf(start));
    const to = Math.max(at.xOf(at.clock.placeOf(end ?? scene.now_ms)), from + GAP_PX_MIN);
    if (to < 0 || from > at.plot.width) continue;
    const whole = channel === "klines";
    const top = whole ? 0 : at.plot.height - STRIP_PX;
    const box = [
      Math.max(from, 0),
      top,
      Math.min(to, at.plot.width) - Math.max(from, 0),
      at.plot.height - top,
    ];
    ctx.fillStyle = repaired ? colours.healed : colours.hole;
    ctx.fillRect(...box);
    if (repaired) continue;
    hatch(ctx, box, colours.hatch);
    if (whole && from > labelled + 16) {
      drawUpright(
        ctx,
        "not received",
        (Math.max(from, 0) + Math.min(to, at.plot.width)) / 2,
        colours,
      );
      labelled = from;
    }
  }
}

function hatch(ctx, [x, y, width, height], colour) {
  ctx.save();
  ctx.beginPath();
  ctx.rect(x, y, width, height);
  ctx.clip();
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1;
  ctx.beginPath();
  for (let offset = -height; offset < width; offset += 7) {
    ctx.moveTo(x + offset, y + height);
    ctx.lineTo(x + offset + height, y);
  }
  ctx.stroke();
  ctx.restore();
}

function drawUpright(ctx, text, x, colours) {
  ctx.save();
  ctx.translate(x, 30); // below the read-out
  ctx.rotate(Math.PI / 2);
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  const width = ctx.measureText(text).width;
  ctx.fillStyle = colours.paper;
  ctx.fillRect(-3, -8, width + 6, 16);
  ctx.fillStyle = colours.ink;
  ctx.fillText(text, 0, 0);
  ctx.restore();
}

function drawMark(ctx, at, text, colours) {
  ctx.save();
  ctx.globalAlpha = 0.13;
  ctx.fillStyle = colours.ink;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.font = `bold ${Math.min(52, at.plot.width / 9)}px sans-serif`;
  ctx.fillText(text, at.plot.width / 2, at.prices / 2);
  ctx.restore();
}

function drawLast(ctx, at, scene, colours) {
  const last = scene.price?.last;
  if (last === null || last === undefined || last < at.low || last > at.high) return;
  const y = at.yOf(last);
  const colour = isRising(at.bars.at(-1)) ? colours.up : colours.down;
  ctx.strokeStyle = colour;
  ctx.setLineDash([4, 3]);
  line(ctx, 0, y, at.plot.width, y);
  ctx.setLineDash([]);
  drawTag(ctx, at.plot.width, y, at.width, formatNumber(last, at.decimals), colour, colours.paper);
}

function drawTag(ctx, x, y, right, text, colour, ink) {
  ctx.fillStyle = colour;
  ctx.fillRect(x + 1, y - 9, right - x - 1, 18);
  ctx.fillStyle = ink;
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  ctx.fillText(text, x + 7, y);
}

function drawCross(ctx, at, cross, scene, colours) {
  if (cross.x > at.plot.width) return;
  const place = Math.floor(cross.x / at.slot + at.right - at.span + 1e-9);
  const x = at.xOf(place + 0.5);
  ctx.strokeStyle = colours.cross;
  ctx.setLineDash([2, 3]);
  line(ctx, x, 0, x, at.plot.height);
  if (cross.y < at.prices) {
    line(ctx, 0, cross.y, at.plot.width, cross.y);
    drawTag(
      ctx,
      at.plot.width,
      cross.y,
      at.width,
      formatNumber(at.priceOf(cross.y), at.decimals),
      colours.ink,
      colours.paper,
    );
  }
  ctx.setLineDash([]);
  drawMoment(ctx, at, x, formatMoment(at.clock.timeOf(place), scene.period_ms), colours);
}

function drawMoment(ctx, at, x, text, colours) {
  const width = ctx.measureText(text).width + 10;
  const left = Math.min(Math.max(x - width / 2, 0), at.plot.width - width);
  ctx.fillStyle = colours.ink;
  ctx.fillRect(left, at.plot.height + 2, width, AXIS_BOTTOM - 3);
  ctx.fillStyle = colours.paper;
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  ctx.fillText(text, left + 5, at.plot.height + AXIS_BOTTOM / 2 + 1);
}

// Lines of one pixel lie on half pixels, or they blur.
function line(ctx, x1, y1, x2, y2) {
  const sharp = (v) => Math.round(v) + 0.5;
  ctx.beginPath();
  ctx.moveTo(x1 === x2 ? sharp(x1) : x1, y1 === y2 ? sharp(y1) : y1);
  ctx.lineTo(x1 === x2 ? sharp(x2) : x2, y1 === y2 ? sharp(y2) : y2);
  ctx.stroke();
}

// ------------------------------------------------------------------------------------- depth

// Cumulated amounts over price: bids to the left, asks to the right.
export function drawDepth(canvas, bids, asks, decimals, colours) {
  const { ctx, width, height } = contextOf(canvas);
  if (!width || !bids.length || !asks.length) return;
  // Both sides as far as the nearer one reaches, so that neither looks thin for being short.
  const middle = (bids[0][0] + asks[0][0]) / 2;
  const reach = Math.min(middle - bids.at(-1)[0], asks.at(-1)[0] - middle) || middle * 0.001;
  const within = [...bids, ...asks].filter(([price]) => Math.abs(price - middle) <= reach);
  const most = Math.max(...within.map(([, , total]) => total));
  const xOf = (price) => ((price - middle) / reach + 1) * (width / 2);
  const yOf = (total) => height - (total / most) * (height - 4);
  drawStairs(ctx, bids, xOf, yOf, 0, height, colours.up, colours.upSoft);
  drawStairs(ctx, asks, xOf, yOf, width, height, colours.down, colours.downSoft);
  ctx.strokeStyle = colours.grid;
  line(ctx, width / 2, 0, width / 2, height);
  drawEnds(ctx, width, height, [middle - reach, middle + reach], decimals, colours);
}

function drawEnds(ctx, width, height, [low, high], decimals, colours) {
  ctx.font = colours.font;
  ctx.fillStyle = colours.quiet;
  ctx.textBaseline = "bottom";
  ctx.textAlign = "left";
  ctx.fillText(formatNumber(low, decimals), 2, height - 1);
  ctx.textAlign = "right";
  ctx.fillText(formatNumber(high, decimals), width - 2, height - 1);
}

function drawStairs(ctx, levels, xOf, yOf, edge, height, colour, soft) {
  ctx.beginPath();
  ctx.moveTo(xOf(levels[0][0]), height);
  let y = height;
  for (const [price, , total] of levels) {
    ctx.lineTo(xOf(price), y);
    ctx.lineTo(xOf(price), (y = yOf(total)));
  }
  ctx.lineTo(edge, y);
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1;
  ctx.stroke();
  ctx.lineTo(edge, height);
  ctx.fillStyle = soft;
  ctx.fill();
}
