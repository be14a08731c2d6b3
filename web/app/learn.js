// The learning page's frame: contents, and the switch for the look.

import { h, find } from './dom.js';
import { sign } from './icons.js';
import { themeSwitch } from './switches.js';

const home = find('#home', HTMLAnchorElement);
home.prepend(sign());
find('#switches', HTMLElement).append(themeSwitch());

for (const link of document.querySelectorAll('#languages a')) {
  if (!(link instanceof HTMLAnchorElement)) continue;
  if (link.lang === document.documentElement.lang) link.setAttribute('aria-current', 'page');
  // The same part in the other language.
  link.addEventListener('click', () => (link.hash = location.hash));
}

const headings = [...document.querySelectorAll('#body h2[id]')];
const contents = find('#contents', HTMLElement);
const items = headings.map((heading) => h('li', {}, h('a', { href: `#${heading.id}` }, heading.textContent)));
const isWide = matchMedia('(min-width: 981px)');
const folded = h('details', { open: isWide.matches }, h('summary', { t: 'learn.contents' }), h('ol', {}, ...items));
isWide.addEventListener('change', () => (folded.open = isWide.matches));
contents.append(folded);
contents.hidden = items.length === 0;

// Marks where the reader is.
const seen = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      const at = headings.indexOf(entry.target);
      items.forEach((item, i) => item.firstElementChild?.toggleAttribute('data-here', i === at));
    }
  },
  { rootMargin: '-10% 0px -75%' },
);
for (const heading of headings) seen.observe(heading);

// A wide table scrolls by itself, and can be scrolled with keys.
for (const table of document.querySelectorAll('#body table')) {
  const frame = h('div', { class: 'table-frame', tabindex: 0 });
  table.replaceWith(frame);
  frame.append(table);
}
