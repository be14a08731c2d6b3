// The yard from above: people on its edge, the paths between them, the hearth in the middle when
// there is a server. Everything is kept between updates; only what changes is touched.

import { h, keep, s, say, set } from './dom.js';
import { arrowWidth, beside, curveData, headData, path, pointOn, seats, trim } from './geometry.js';
import { makeHearth } from './hearth.js';
import { hueOf, initials } from '../names.js';

/** @typedef {import('./model.js').View} View */
/** @typedef {import('./model.js').LinkView} LinkView */
/** @typedef {import('./geometry.js').Seat} Seat */
/** @typedef {import('./geometry.js').Curve} Curve */
/**
 * @typedef {object} YardOptions
 * @property {(linkId: string, opener: Element) => void} onOpen
 * @property {(linkId: string|null) => void} onPoint a link is under the pointer or has the focus
 */

const SIZE = 360;
const SQUARE = { size: SIZE, inset: 50, radius: 58 };
const MIDDLE = { x: SIZE / 2, y: SIZE / 2 };
const BAND = 44;
const PLANKS = 48;
// One goes up for all; many come back, each of them thin. More lanes than this would be a wall.
const UP_TO_SERVER = 1.3;
const DOWN_FROM_SERVER = 0.5;
const LANES = 8;

export class Yard {
  #svg = s('svg', { class: 'yard', viewBox: `0 0 ${SIZE} ${SIZE}`, role: 'group' });
  #among = s('path', { class: 'yard-among' });
  #amongTitle = s('title');
  #links = s('g');
  #people = s('g', { 'aria-hidden': 'true' });
  #hearth = makeHearth(MIDDLE);
  /** @type {Map<string, SVGGElement>} */
  #linkElements = new Map();
  /** @type {Map<string, SVGGElement>} */
  #personElements = new Map();
  /** @type {Map<string, Seat>} */
  #places = new Map();
  #radius = 22;
  #options;

  /** @param {YardOptions} options */
  constructor(options) {
    this.#options = options;
    const edge = {
      x: SQUARE.inset,
      y: SQUARE.inset,
      width: SIZE - 2 * SQUARE.inset,
      height: SIZE - 2 * SQUARE.inset,
      rx: SQUARE.radius,
    };
    this.#among.append(this.#amongTitle);
    this.#svg.append(
      s('rect', { class: 'yard-porch', ...grow(edge, BAND / 2) }),
      s('rect', { class: 'yard-planks', pathLength: PLANKS, ...edge }),
      s('rect', { class: 'yard-ground', ...grow(edge, -BAND / 2) }),
      this.#among,
      this.#hearth.element,
      this.#links,
      this.#people,
    );
    this.element = h('div', { class: 'yard-frame' }, this.#svg);
  }

  /**
   * @param {View} view
   * @param {import('./strings.js').Strings} strings
   * @param {(link: LinkView) => string} labelOf
   */
  update(view, strings, labelOf) {
    const places = seats(view.people.length, SQUARE);
    this.#places = new Map(view.people.map((p, i) => [p.id, /** @type {Seat} */ (places[i])]));
    this.#radius = view.people.length <= 6 ? 22 : view.people.length <= 10 ? 18 : 13;
    set(this.#svg, { 'aria-label': strings.yardLabel({ n: view.people.length, links: view.linkCount }) });
    this.#hearth.update(view, strings.server);
    this.#drawAmong(view, strings);
    keep(
      this.#people,
      this.#personElements,
      view.people,
      (p) => p.id,
      makePerson,
      (element, person) => this.#drawPerson(element, person, strings, view.people.length),
    );
    keep(
      this.#links,
      this.#linkElements,
      view.links,
      (l) => l.id,
      (l) => this.#makeLink(l),
      (element, link) => {
        this.#drawLink(element, link, view, strings);
        set(element, { 'aria-label': labelOf(link) });
      },
    );
  }

  /** @param {string|null} linkId */
  point(linkId) {
    for (const [id, element] of this.#linkElements) element.classList.toggle('is-pointed', id === linkId);
    this.#svg.classList.toggle('is-pointing', linkId !== null && this.#linkElements.has(linkId));
  }

  /** @param {View} view @param {import('./strings.js').Strings} strings */
  #drawAmong(view, strings) {
    const lines = view.among.map(([a, b]) => this.#curveBetween(a, b));
    // In a server's room the others have links of their own to it.
    if (view.topology !== 'mesh') {
      for (const person of view.people) if (!person.isYou) lines.push(this.#curveBetween(person.id, null));
    }
    set(this.#among, { d: lines.map(curveData).join(''), 'stroke-width': lines.length > 15 ? 0.9 : 1.4 });
    say(this.#amongTitle, strings.amongTitle);
  }

  /** @param {string|null} from @param {string|null} to a person's id; null is the hearth @returns {Curve} */
  #curveBetween(from, to) {
    const a = this.#place(from);
    const b = this.#place(to);
    return trim(path(a, b, MIDDLE), from === null ? 30 : this.#radius, to === null ? 30 : this.#radius);
  }

  /** @param {string|null} id */
  #place(id) {
    return (id === null ? undefined : this.#places.get(id)) ?? MIDDLE;
  }

  /**
   * @param {SVGGElement} element
   * @param {import('./model.js').Person} person
   * @param {import('./strings.js').Strings} strings
   * @param {number} count
   */
  #drawPerson(element, person, strings, count) {
    const seat = this.#place(person.id);
    const [disc, letters, label, title] = /** @type {SVGElement[]} */ ([...element.children]);
    if (!disc || !letters || !label || !title) return;
    const radius = this.#radius;
    element.style.setProperty('--hue', String(hueOf(person.name)));
    set(element, {
      transform: `translate(${seat.x} ${seat.y})`,
      class: `yard-person${person.isYou ? ' is-you' : ''}${person.isAway ? ' is-away' : ''}`,
    });
    set(disc, { r: radius });
    set(letters, { 'font-size': radius * 0.72 });
    say(letters, initials(person.name));
    const above = 'side' in seat && seat.side === 'top';
    set(label, {
      y: above ? -radius - 10 : radius + 17,
      visibility: count > 12 && !person.isYou ? 'hidden' : 'visible',
    });
    say(label, person.isYou ? strings.you : shorten(person.name, count > 6 ? 9 : 12));
    say(title, person.name);
  }

  /** @param {LinkView} link */
  #makeLink(link) {
    const open = () => this.#options.onOpen(link.id, element);
    const element = s(
      'g',
      {
        class: 'yard-link',
        role: 'button',
        tabindex: 0,
        'data-link': link.id,
        onclick: open,
        onkeydown: (/** @type {KeyboardEvent} */ event) => {
          if (event.key !== 'Enter' && event.key !== ' ') return;
          event.preventDefault();
          open();
        },
        onpointerenter: () => this.#options.onPoint(link.id),
        onpointerleave: () => this.#options.onPoint(null),
        onfocus: () => this.#options.onPoint(link.id),
        onblur: () => this.#options.onPoint(null),
      },
      s('path', { class: 'yard-hit' }),
      s('path', { class: 'yard-halo' }),
      s('g', { class: 'yard-arrows' }),
      s('g', { class: 'yard-mark' }, s('rect', { rx: 7, height: 16 }), s('text', { 'text-anchor': 'middle', y: 4 })),
    );
    return element;
  }

  /**
   * @param {SVGGElement} element
   * @param {LinkView} link
   * @param {View} view
   * @param {import('./strings.js').Strings} strings
   */
  #drawLink(element, link, view, strings) {
    const [hit, halo, arrows, mark] = /** @type {SVGElement[]} */ ([...element.children]);
    if (!hit || !halo || !arrows || !mark) return;
    set(element, { 'data-shade': link.shade, 'data-relayed': String(link.isRelayed), 'data-state': link.state });
    const you = view.people.find((p) => p.isYou)?.id ?? '';
    const centre = this.#curveBetween(you, link.peer);
    set(hit, { d: curveData(centre) });
    set(halo, { d: curveData(centre) });
    drawArrows(arrows, this.#arrowsOf(link, view, you));
    const spot = pointOn(path(this.#place(you), this.#place(link.peer), MIDDLE), 0.66);
    const name = link.path && link.path !== 'direct' ? strings.pathMarks[link.path] : '';
    set(mark, { transform: `translate(${spot.x} ${spot.y})`, visibility: name ? 'visible' : 'hidden' });
    const [plate, text] = /** @type {SVGElement[]} */ ([...mark.children]);
    if (!plate || !text) return;
    say(text, name);
    set(plate, { x: -(name.length * 3.6 + 6), width: name.length * 7.2 + 12, y: -8 });
  }

  /**
   * @param {LinkView} link
   * @param {View} view
   * @param {string} you
   * @returns {Arrow[]}
   */
  #arrowsOf(link, view, you) {
    const scale = view.links.length > 5 ? 0.78 : 1;
    const out = path(this.#place(you), this.#place(link.peer), MIDDLE);
    /** @type {Curve} */
    const back = [out[2], out[1], out[0]];
    const near = this.#radius + 5;
    const far = link.peer === null ? 36 : near;
    const isServer = link.peer === null;
    const upWidth = arrowWidth(link.upBps, isServer ? UP_TO_SERVER : scale);
    const downs = isServer ? Math.min(Math.max(1, view.figures.down), LANES) : 1;
    const serverScale = view.isMixed ? UP_TO_SERVER : DOWN_FROM_SERVER;
    const downWidth = arrowWidth((link.downBps ?? 0) / downs, isServer ? serverScale : scale);
    // Each direction keeps to its right, as on a road; together they straddle the middle.
    const step = downWidth + (isServer ? 5 : 4);
    const gap = 4 + (upWidth + downWidth) / 2;
    const right = (gap + (downs - 1) * step) / 2;
    const lanes = Array.from({ length: downs }, (_, i) => ({
      curve: trim(beside(back, gap - right + i * step), far, near),
      width: downWidth,
      isFlowing: (link.downBps ?? 0) > 0,
    }));
    return [{ curve: trim(beside(out, right), near, far), width: upWidth, isFlowing: (link.upBps ?? 0) > 0 }, ...lanes];
  }
}

/** @typedef {{curve: Curve, width: number, isFlowing: boolean}} Arrow */

/** @param {SVGElement} group @param {Arrow[]} arrows */
function drawArrows(group, arrows) {
  while (group.children.length > arrows.length) group.lastElementChild?.remove();
  while (group.children.length < arrows.length) {
    group.append(
      s(
        'g',
        { class: 'yard-arrow' },
        s('path', { class: 'yard-shaft' }),
        s('path', { class: 'yard-flow' }),
        s('path', { class: 'yard-head' }),
      ),
    );
  }
  arrows.forEach((arrow, i) => {
    const element = group.children[i];
    const [shaft, flow, head] = element ? [...element.children] : [];
    if (!element || !shaft || !flow || !head) return;
    const length = 5.5 + arrow.width * 1.25;
    const cut = trim(arrow.curve, 0, length * 0.8);
    element.classList.toggle('is-flowing', arrow.isFlowing);
    set(shaft, { d: curveData(cut), 'stroke-width': Math.round(arrow.width * 10) / 10 });
    set(flow, { d: curveData(cut), 'stroke-width': Math.round(Math.max(1, arrow.width * 0.5) * 10) / 10 });
    set(head, { d: headData(arrow.curve, length, 5 + arrow.width * 1.5) });
  });
}

function makePerson() {
  return s(
    'g',
    {},
    s('circle'),
    s('text', { class: 'yard-letters', 'text-anchor': 'middle', dy: '0.36em' }),
    s('text', { class: 'yard-name', 'text-anchor': 'middle' }),
    s('title'),
  );
}

/** @param {{x: number, y: number, width: number, height: number, rx: number}} rect @param {number} by */
function grow({ x, y, width, height, rx }, by) {
  return { x: x - by, y: y - by, width: width + 2 * by, height: height + 2 * by, rx: Math.max(8, rx + by) };
}

/** Korean letters are about twice as broad as Latin ones. @param {string} name @param {number} room */
function shorten(name, room) {
  let used = 0;
  let kept = '';
  for (const letter of name) {
    used += /[\u1100-\uffff]/.test(letter) ? 1.75 : 1;
    if (used > room) return `${kept.trimEnd()}…`;
    kept += letter;
  }
  return kept;
}
