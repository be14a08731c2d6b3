// Where people sit around the yard, and how the paths between them run. Pure.

/** @typedef {{x: number, y: number}} Point */
/** @typedef {Point & {side: 'top'|'bottom'|'left'|'right'}} Seat */
/** @typedef {[Point, Point, Point]} Curve a quadratic Bézier: from, control, to */
/** @typedef {{size: number, inset: number, radius: number}} Square */

/**
 * Seats at equal distances along a rounded square, the first at the bottom in the middle (that
 * is you), the others clockwise.
 * @param {number} count
 * @param {Square} square
 * @returns {Seat[]}
 */
export function seats(count, square) {
  const total = perimeter(square);
  return Array.from({ length: count }, (_, i) => seatAt((total * i) / count, square));
}

/** @param {Square} square */
function perimeter({ size, inset, radius }) {
  return 4 * (size - 2 * inset - 2 * radius) + 2 * Math.PI * radius;
}

/**
 * @param {number} distance clockwise from the middle of the bottom edge
 * @param {Square} square
 * @returns {Seat}
 */
function seatAt(distance, square) {
  const { size, inset, radius } = square;
  const straight = size - 2 * inset - 2 * radius;
  const quarter = straight + (Math.PI * radius) / 2;
  const turns = Math.floor(distance / quarter);
  const along = distance - turns * quarter;
  const half = size / 2 - inset;
  /** Where the seat would be on the first quarter: half a bottom edge, a corner, half a left edge. */
  const local = { x: 0, y: half };
  if (along <= straight / 2) {
    local.x = -along;
  } else if (along <= straight / 2 + (Math.PI * radius) / 2) {
    const angle = (along - straight / 2) / radius;
    local.x = -straight / 2 - radius * Math.sin(angle);
    local.y = straight / 2 + radius * Math.cos(angle);
  } else {
    local.x = -half;
    local.y = straight / 2 - (along - straight / 2 - (Math.PI * radius) / 2);
  }
  const turned = turn(local, turns);
  return { x: size / 2 + turned.x, y: size / 2 + turned.y, side: sideOf(turned) };
}

/** Quarter turns clockwise, with y downwards. @param {Point} p @param {number} quarters @returns {Point} */
function turn(p, quarters) {
  let { x, y } = p;
  for (let i = 0; i < quarters % 4; i += 1) [x, y] = [-y, x];
  return { x, y };
}

/** @param {Point} p @returns {Seat['side']} */
function sideOf(p) {
  if (Math.abs(p.y) >= Math.abs(p.x) - 1e-6) return p.y > 0 ? 'bottom' : 'top';
  return p.x > 0 ? 'right' : 'left';
}

/**
 * A path between two seats that leans towards the middle, so that neighbours on one edge are not
 * joined along the edge, through whoever sits between them.
 * @param {Point} from
 * @param {Point} to
 * @param {Point} middle
 * @returns {Curve}
 */
export function path(from, to, middle) {
  const lean = 0.62 * Math.min(1, Math.hypot(to.x - from.x, to.y - from.y) / 170);
  const control = {
    x: (from.x + to.x) / 2 + (middle.x - (from.x + to.x) / 2) * lean,
    y: (from.y + to.y) / 2 + (middle.y - (from.y + to.y) / 2) * lean,
  };
  return [from, control, to];
}

/**
 * The same curve, to the right of it by a distance (in the direction of travel, y downwards).
 * @param {Curve} curve
 * @param {number} distance
 * @returns {Curve}
 */
export function beside([a, c, b], distance) {
  const length = Math.hypot(b.x - a.x, b.y - a.y) || 1;
  const nx = (-(b.y - a.y) / length) * distance;
  const ny = ((b.x - a.x) / length) * distance;
  const move = (/** @type {Point} */ p) => ({ x: p.x + nx, y: p.y + ny });
  return [move(a), move(c), move(b)];
}

/** @param {Curve} curve @param {number} t 0 to 1 @returns {Point} */
export function pointOn([a, c, b], t) {
  const u = 1 - t;
  return { x: u * u * a.x + 2 * u * t * c.x + t * t * b.x, y: u * u * a.y + 2 * u * t * c.y + t * t * b.y };
}

/**
 * What is left of a curve after cutting off what lies within given distances of its ends.
 * @param {Curve} curve
 * @param {number} atStart
 * @param {number} atEnd
 * @returns {Curve}
 */
export function trim(curve, atStart, atEnd) {
  const start = reach(curve, atStart);
  const end = 1 - reach([curve[2], curve[1], curve[0]], atEnd);
  return start < end ? between(curve, start, end) : between(curve, 0.49, 0.51);
}

/** The parameter at which a curve is so far from where it began. @param {Curve} curve @param {number} distance */
function reach(curve, distance) {
  let low = 0;
  let high = 1;
  for (let i = 0; i < 18; i += 1) {
    const t = (low + high) / 2;
    const p = pointOn(curve, t);
    if (Math.hypot(p.x - curve[0].x, p.y - curve[0].y) < distance) low = t;
    else high = t;
  }
  return low;
}

/** @param {Curve} curve @param {number} t0 @param {number} t1 @returns {Curve} */
function between([a, c, b], t0, t1) {
  const mix = (/** @type {Point} */ p, /** @type {Point} */ q, /** @type {number} */ t) => ({
    x: p.x + (q.x - p.x) * t,
    y: p.y + (q.y - p.y) * t,
  });
  const control = mix(mix(a, c, t0), mix(c, b, t0), t1);
  return [pointOn([a, c, b], t0), control, pointOn([a, c, b], t1)];
}

/** @param {Curve} curve */
export function curveData([a, c, b]) {
  return `M${r(a.x)} ${r(a.y)}Q${r(c.x)} ${r(c.y)} ${r(b.x)} ${r(b.y)}`;
}

/**
 * An arrow's head whose tip is the end of a curve.
 * @param {Curve} curve
 * @param {number} length
 * @param {number} breadth
 */
export function headData(curve, length, breadth) {
  const tip = curve[2];
  const base = pointOn(curve, 1 - Math.min(0.5, length / (Math.hypot(tip.x - curve[0].x, tip.y - curve[0].y) || 1)));
  const d = Math.hypot(tip.x - base.x, tip.y - base.y) || 1;
  const ux = (tip.x - base.x) / d;
  const uy = (tip.y - base.y) / d;
  const back = { x: tip.x - ux * length, y: tip.y - uy * length };
  const wing = breadth / 2;
  return `M${r(tip.x)} ${r(tip.y)}L${r(back.x - uy * wing)} ${r(back.y + ux * wing)}L${r(back.x + uy * wing)} ${r(back.y - ux * wing)}Z`;
}

/**
 * How broad an arrow is drawn. Eyes compare ratios, so the width grows with the logarithm.
 * @param {number|null|undefined} bps
 * @param {number} [scale]
 */
export function arrowWidth(bps, scale = 1) {
  const figure = bps && bps > 0 ? bps : 0;
  return Math.min(7.5, 1.5 + 2.2 * Math.log10(1 + figure / 40_000)) * scale;
}

/** @param {number} value */
function r(value) {
  return Math.round(value * 100) / 100;
}
