// Icons of one hand: a 24 grid, round strokes.

const SVG = 'http://www.w3.org/2000/svg';

/** `~` begins a faint part, `!` a solid one. @type {Record<string, string[]>} */
const PATHS = {
  mic: ['M12 3.5a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0v-5a3 3 0 0 0-3-3Z', 'M5.5 11.5a6.5 6.5 0 0 0 13 0', 'M12 18v3'],
  'mic-off': [
    'M15 10.5v-4a3 3 0 0 0-5.6-1.5',
    'M9 9v2.5a3 3 0 0 0 4.6 2.5',
    'M5.5 11.5A6.5 6.5 0 0 0 16 16.6',
    'M18.5 11.500a6.5 6.5 0 0 1-.4 2.2',
    'M12 18v3',
    'M4 4l16 16',
  ],
  camera: [
    'M4.5 6.500h9a2 2 0 0 1 2 2v7a2 2 0 0 1-2 2h-9a2 2 0 0 1-2-2v-7a2 2 0 0 1 2-2Z',
    'M15.5 10.700l4.4-2.700a.7.7 0 0 1 1.1.6v6.800a.7.7 0 0 1-1.1.6l-4.4-2.7',
  ],
  'camera-off': [
    'M10 6.500h3.500a2 2 0 0 1 2 2V12',
    'M15.5 12.500v-1.800l4.4-2.700a.7.7 0 0 1 1.1.6v6.800a.7.7 0 0 1-1 .6',
    'M15.5 15.500a2 2 0 0 1-2 2h-9a2 2 0 0 1-2-2v-7a2 2 0 0 1 2-2H6',
    'M4 4l16 16',
  ],
  screen: [
    'M4.5 4.500h15a2 2 0 0 1 2 2v9a2 2 0 0 1-2 2h-15a2 2 0 0 1-2-2v-9a2 2 0 0 1 2-2Z',
    'M8.5 20.500h7',
    'M12 14V8.5',
    'M9.5 10.800L12 8.300l2.5 2.5',
  ],
  'screen-stop': [
    'M4.5 4.500h15a2 2 0 0 1 2 2v9a2 2 0 0 1-2 2h-15a2 2 0 0 1-2-2v-9a2 2 0 0 1 2-2Z',
    'M8.5 20.500h7',
    'M10 9l4 4',
    'M14 9l-4 4',
  ],
  hand: [
    'M7.5 12.500V6.300a1.5 1.5 0 0 1 3 0V11',
    'M10.5 10.500V4.500a1.5 1.5 0 0 1 3 0V10.5',
    'M13.5 10.500V5.800a1.5 1.5 0 0 1 3 0V12',
    'M16.5 9.800a1.5 1.5 0 0 1 3 0v4.400a6.8 6.8 0 0 1-6.8 6.800c-2.6 0-4-.9-5.4-2.800l-3.3-4.700a1.5 1.5 0 0 1 2.3-1.900l1.2 1.4',
  ],
  chat: [
    'M6 4.500h12a2.5 2.5 0 0 1 2.5 2.500v7.500A2.5 2.5 0 0 1 18 17h-6.500L7 20.500V17H6a2.5 2.5 0 0 1-2.5-2.500V7A2.5 2.5 0 0 1 6 4.500Z',
    'M8 9h8',
    'M8 12.500h5',
  ],
  people: [
    'M9 11.500a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7Z',
    'M2.5 19.500c.4-3.3 3-5.5 6.5-5.500s6.1 2.2 6.5 5.5',
    'M15.5 4.900a3.5 3.5 0 0 1 0 6.3',
    'M18 14.600c2 .8 3.3 2.5 3.5 4.9',
  ],
  links: [
    'M12 6.500a2 2 0 1 0 0-4 2 2 0 0 0 0 4Z',
    'M5 20.500a2 2 0 1 0 0-4 2 2 0 0 0 0 4Z',
    'M19 20.500a2 2 0 1 0 0-4 2 2 0 0 0 0 4Z',
    'M11.1 6.300L6 16.7',
    'M12.9 6.300L18 16.7',
    'M7 18.500h10',
  ],
  more: [
    '!M5.5 13.600a1.6 1.6 0 1 0 0-3.2 1.6 1.6 0 0 0 0 3.200Z',
    '!M12 13.600a1.6 1.6 0 1 0 0-3.2 1.6 1.6 0 0 0 0 3.200Z',
    '!M18.5 13.600a1.6 1.6 0 1 0 0-3.2 1.6 1.6 0 0 0 0 3.200Z',
  ],
  leave: [
    'M3.2 14.800c-.9-.9-.9-2.3.1-3.2 5-4.3 12.4-4.3 17.4 0 1 .9 1 2.3.1 3.200l-.8.8a1.6 1.6 0 0 1-2 .2l-2-1.300a1.6 1.6 0 0 1-.7-1.600l.2-1.300a11 11 0 0 0-7 0l.2 1.300a1.6 1.6 0 0 1-.7 1.600l-2 1.300a1.6 1.6 0 0 1-2-.2Z',
  ],
  copy: [
    'M10 8.500h8.500a2 2 0 0 1 2 2V19a2 2 0 0 1-2 2H10a2 2 0 0 1-2-2v-8.500a2 2 0 0 1 2-2Z',
    'M5.5 15.500H5a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2h8.500a2 2 0 0 1 2 2v.5',
  ],
  mind: ['M12 5.500v8', 'M12 18h.01'],
  minus: ['M6 12h12'],
  dot: ['!M12 13.600a1.6 1.6 0 1 0 0-3.2 1.6 1.6 0 0 0 0 3.200Z'],
  check: ['M5 12.500l4.5 4.500L19 7.5'],
  lock: [
    'M6.5 10.500h11a1.5 1.5 0 0 1 1.5 1.500v7a1.5 1.5 0 0 1-1.5 1.500h-11A1.5 1.5 0 0 1 5 19v-7a1.5 1.5 0 0 1 1.5-1.500Z',
    'M8 10.500V7.500a4 4 0 0 1 8 0v3',
  ],
  unlock: [
    'M6.5 10.500h11a1.5 1.5 0 0 1 1.5 1.500v7a1.5 1.5 0 0 1-1.5 1.500h-11A1.5 1.5 0 0 1 5 19v-7a1.5 1.5 0 0 1 1.5-1.500Z',
    'M8 10.500V7.500a4 4 0 0 1 7.7-1.5',
  ],
  host: ['M12 3.500l2.6 5.3 5.9.9-4.3 4.1 1 5.800L12 16.900l-5.2 2.7 1-5.800L3.5 9.700l5.9-.9Z'],
  remove: [
    'M9.5 11.500a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7Z',
    'M3 19.500c.4-3.3 3-5.5 6.5-5.500s6.1 2.2 6.5 5.5',
    'M17 8.500l4 4',
    'M21 8.500l-4 4',
  ],
  full: [
    'M4 9V5.500A1.5 1.5 0 0 1 5.5 4H9',
    'M15 4h3.500A1.5 1.5 0 0 1 20 5.500V9',
    'M20 15v3.500a1.5 1.5 0 0 1-1.5 1.500H15',
    'M9 20H5.500A1.5 1.5 0 0 1 4 18.500V15',
  ],
  pip: [
    'M4.5 4.500h15a2 2 0 0 1 2 2v11a2 2 0 0 1-2 2h-15a2 2 0 0 1-2-2v-11a2 2 0 0 1 2-2Z',
    '!M13 12h5a1 1 0 0 1 1 1v3a1 1 0 0 1-1 1h-5a1 1 0 0 1-1-1v-3a1 1 0 0 1 1-1Z',
  ],
  settings: [
    'M4 7.500h9',
    'M18.5 7.500H20',
    'M4 16.500h1.5',
    'M11 16.500h9',
    'M15.7 10a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5Z',
    'M8.3 19a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5Z',
  ],
  sun: [
    'M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8Z',
    'M12 2.500v2',
    'M12 19.500v2',
    'M2.5 12h2',
    'M19.5 12h2',
    'M5.3 5.300l1.4 1.4',
    'M17.3 17.300l1.4 1.4',
    'M18.7 5.300l-1.4 1.4',
    'M6.7 17.300l-1.4 1.4',
  ],
  moon: ['M20 14.200A8.2 8.2 0 0 1 9.8 4a8.2 8.2 0 1 0 10.2 10.200Z'],
  auto: ['M12 20.500a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17Z', '!M12 3.500a8.5 8.5 0 0 1 0 17Z'],
  keys: [
    'M4.5 6h15a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2h-15a2 2 0 0 1-2-2V8a2 2 0 0 1 2-2Z',
    'M8 14.500h8',
    'M6.5 10h.01',
    'M10.2 10h.01',
    'M13.8 10h.01',
    'M17.5 10h.01',
  ],
  close: ['M6 6l12 12', 'M18 6L6 18'],
  send: ['M20.5 3.500L10.5 13.5', 'M20.5 3.500l-6.3 17-3.7-7-7-3.700Z'],
  down: ['M6.5 9.500L12 15l5.5-5.5'],
  speaker: [
    'M4 9.500h3.500L12 5.500v13l-4.5-4H4a.5.5 0 0 1-.5-.5v-4a.5.5 0 0 1 .5-.5Z',
    'M15.5 9a4.2 4.2 0 0 1 0 6',
    'M18 6.500a7.8 7.8 0 0 1 0 11',
  ],
  'speaker-off': [
    'M4 9.500h3.500L12 5.500v13l-4.5-4H4a.5.5 0 0 1-.5-.5v-4a.5.5 0 0 1 .5-.5Z',
    'M16 9.500l5 5',
    'M21 9.500l-5 5',
  ],
  'signal-excellent': ['M5 19v-4', 'M12 19v-9', 'M19 19V5'],
  'signal-good': ['M5 19v-4', 'M12 19v-9', '~M19 19V5'],
  'signal-poor': ['M5 19v-4', '~M12 19v-9', '~M19 19V5'],
  'signal-lost': ['~M5 19v-4', '~M12 19v-9', 'M16 6l5 5', 'M21 6l-5 5'],
  away: ['M12 20.500a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17Z', 'M12 7.500V12l3 2'],
  warn: ['M12 20.500a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17Z', 'M12 8v4.5', 'M12 15.800h.01'],
  arrow: ['M5 12h14', 'M13 6l6 6-6 6'],
  door: ['M6 20.500V5.500a2 2 0 0 1 2-2h8a2 2 0 0 1 2 2v15', 'M3.5 20.500h17', 'M14.5 12h.01'],
};

/**
 * @param {string} name
 * @param {string} [more] further classes
 * @returns {SVGSVGElement}
 */
export function icon(name, more = '') {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('class', `icon ${more}`.trim());
  setIcon(svg, name);
  return svg;
}

/** @param {SVGSVGElement} svg @param {string} name */
export function setIcon(svg, name) {
  if (svg.dataset.icon === name) return;
  svg.dataset.icon = name;
  svg.replaceChildren(
    ...(PATHS[name] ?? []).map((d) => {
      const path = document.createElementNS(SVG, 'path');
      if (d.startsWith('~')) path.setAttribute('class', 'faint');
      if (d.startsWith('!')) path.setAttribute('class', 'solid');
      path.setAttribute('d', d.replace(/^[~!]/, ''));
      return path;
    }),
  );
}

/** The sign of madang. @returns {SVGSVGElement} */
export function sign() {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 40 40');
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('class', 'sign');
  const house = document.createElementNS(SVG, 'path');
  house.setAttribute('class', 'house');
  house.setAttribute('d', 'M16 33h-5a5 5 0 0 1-5-5V11a5 5 0 0 1 5-5h18a5 5 0 0 1 5 5v17a5 5 0 0 1-5 5h-5');
  const sun = document.createElementNS(SVG, 'circle');
  sun.setAttribute('class', 'sun');
  sun.setAttribute('cx', '20');
  sun.setAttribute('cy', '19.5');
  sun.setAttribute('r', '4.6');
  svg.append(house, sun);
  return svg;
}
