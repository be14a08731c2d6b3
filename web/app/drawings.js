// The yard seen from above: people on its edge, and how a call travels between them.

const SVG = 'http://www.w3.org/2000/svg';

/** @typedef {'mesh'|'sfu'|'mcu'} Shape */

/**
 * @param {string} tag
 * @param {Record<string, string|number>} attributes
 */
function s(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}

/** People in the corners of the yard. */
const SEATS = [
  { x: 28, y: 20, tone: 'a' },
  { x: 92, y: 20, tone: 'b' },
  { x: 92, y: 68, tone: 'c' },
  { x: 28, y: 68, tone: 'd' },
];
const MIDDLE = { x: 60, y: 44 };

/** @param {Shape} shape @returns {SVGElement} */
export function drawShape(shape) {
  const svg = s('svg', { viewBox: '0 0 120 88', class: `shape ${shape}`, 'aria-hidden': 'true' });
  svg.append(s('rect', { class: 'yard', x: 9, y: 3, width: 102, height: 82, rx: 22 }));
  svg.append(...LINES[shape]());
  if (shape !== 'mesh') svg.append(...hearth(shape));
  for (const seat of SEATS)
    svg.append(s('circle', { class: `person tone-${seat.tone}`, cx: seat.x, cy: seat.y, r: 9 }));
  return svg;
}

/** @type {Record<Shape, () => SVGElement[]>} */
const LINES = {
  mesh: () =>
    SEATS.flatMap((from, i) =>
      SEATS.slice(i + 1).map((to) => s('line', { class: 'wire', x1: from.x, y1: from.y, x2: to.x, y2: to.y })),
    ),
  sfu: () => SEATS.flatMap((seat) => [bowed(seat, 0, 'wire strong'), bowed(seat, 9, 'wire'), bowed(seat, -9, 'wire')]),
  mcu: () => SEATS.flatMap((seat) => [bowed(seat, 5.5, 'wire'), bowed(seat, -5.5, 'wire')]),
};

/**
 * A line between a seat and the middle, bowed to one side.
 * @param {{x: number, y: number}} seat
 * @param {number} bow
 * @param {string} name
 */
function bowed(seat, bow, name) {
  const [dx, dy] = [MIDDLE.x - seat.x, MIDDLE.y - seat.y];
  const long = Math.hypot(dx, dy);
  const x = (seat.x + MIDDLE.x) / 2 - (dy / long) * bow;
  const y = (seat.y + MIDDLE.y) / 2 + (dx / long) * bow;
  return s('path', { class: name, d: `M${seat.x} ${seat.y}Q${x.toFixed(1)} ${y.toFixed(1)} ${MIDDLE.x} ${MIDDLE.y}` });
}

/** @param {Shape} shape */
function hearth(shape) {
  const { x, y } = MIDDLE;
  if (shape === 'sfu')
    return [
      s('rect', { class: 'hearth', x: x - 10, y: y - 10, width: 20, height: 20, rx: 6 }),
      s('circle', { class: 'ember', cx: x, cy: y, r: 3.5 }),
    ];
  return [
    s('rect', { class: 'hearth', x: x - 11, y: y - 11, width: 22, height: 22, rx: 7 }),
    s('path', { class: 'pot', d: `M${x - 5} ${y - 1.5}h10v1a5 5 0 0 1-10 0ZM${x - 6.5} ${y - 1.5}h13` }),
    s('path', { class: 'steam', d: `M${x - 2.2} ${y - 5}v-1.6M${x + 2.2} ${y - 5}v-1.6` }),
  ];
}

/** The house around its yard, for the first page. @returns {SVGElement} */
export function drawHouse() {
  const svg = s('svg', { viewBox: '0 0 440 400', class: 'house-drawing' });
  svg.append(
    s('path', {
      class: 'roof',
      d: 'M196 376H72a44 44 0 0 1-44-44V68a44 44 0 0 1 44-44h296a44 44 0 0 1 44 44v264a44 44 0 0 1-44 44H244v-62h88a18 18 0 0 0 18-18V104a18 18 0 0 0-18-18H108a18 18 0 0 0-18 18v192a18 18 0 0 0 18 18h88Z',
    }),
  );
  for (let x = 112; x <= 328; x += 24) svg.append(s('line', { class: 'tile-line', x1: x, y1: 34, x2: x, y2: 76 }));
  for (let y = 112; y <= 288; y += 22) {
    svg.append(
      s('line', { class: 'tile-line', x1: 38, y1: y, x2: 80, y2: y }),
      s('line', { class: 'tile-line', x1: 360, y1: y, x2: 402, y2: y }),
    );
  }
  for (const x of [112, 136, 160, 184, 256, 280, 304, 328])
    svg.append(s('line', { class: 'tile-line', x1: x, y1: 324, x2: x, y2: 366 }));
  svg.append(s('path', { class: 'path-stone', d: 'M220 392v-52' }));
  svg.append(s('ellipse', { class: 'mat', cx: 220, cy: 200, rx: 78, ry: 66 }));
  const seats = /** @type {const} */ ([
    [142, 158, 'a'],
    [220, 120, 'b'],
    [298, 158, 'c'],
    [298, 242, 'd'],
    [220, 280, 'e'],
    [142, 242, 'f'],
  ]);
  seats.forEach(([x, y], i) => {
    for (const [x2, y2] of seats.slice(i + 1)) svg.append(s('line', { class: 'talk', x1: x, y1: y, x2, y2 }));
  });
  for (const [x, y, tone] of seats) {
    svg.append(s('circle', { class: `person tone-${tone}`, cx: x, cy: y, r: 20 }));
    svg.append(
      s('circle', { class: 'eye', cx: x - 6, cy: y - 2, r: 2 }),
      s('circle', { class: 'eye', cx: x + 6, cy: y - 2, r: 2 }),
    );
    svg.append(s('path', { class: 'smile', d: `M${x - 5} ${y + 5}q5 4 10 0` }));
  }
  return svg;
}
