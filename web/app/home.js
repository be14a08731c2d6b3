// The first page: open a room, or go to one.

import { h, find } from './dom.js';
import { drawHouse, drawShape } from './drawings.js';
import { bindText, lang, onLang, translate } from './i18n.js';
import { sign } from './icons.js';
import { makeRoomName, readRoom } from './names.js';
import { langSwitch, themeSwitch } from './switches.js';

const SHAPES = /** @type {const} */ (['mesh', 'sfu', 'mcu']);

function fillTop() {
  const top = find('#top', HTMLElement);
  top.append(sign(), h('div', { class: 'home-switches' }, langSwitch(), themeSwitch()));
}

function fillShapes() {
  const list = find('#shapes', HTMLUListElement);
  const learn = lang() === 'ko' ? '/learn/ko' : '/learn';
  list.replaceChildren(
    ...SHAPES.map((shape) =>
      h(
        'li',
        {},
        h(
          'a',
          { class: 'shape-card', href: `${learn}#${shape}` },
          drawShape(shape),
          h('span', { class: 'shape-name', t: `home.${shape}` }),
          h('span', { class: 'shape-text', t: `home.${shape}.text` }),
        ),
      ),
    ),
  );
}

/** @param {SubmitEvent} event */
function goTo(event) {
  event.preventDefault();
  const field = find('#room', HTMLInputElement);
  const error = find('#goto-error', HTMLElement);
  const found = readRoom(field.value);
  if (found) {
    location.assign(`/r/${found.room}${found.search}${found.hash}`);
    return;
  }
  field.setAttribute('aria-invalid', 'true');
  bindText(error, 'home.bad');
  field.focus();
}

translate();
document.title = 'madang 마당';
fillTop();
fillShapes();
find('#yard', HTMLElement).append(drawHouse());
find('#open', HTMLButtonElement).addEventListener('click', () => location.assign(`/r/${makeRoomName()}`));
find('#goto', HTMLFormElement).addEventListener('submit', goTo);
onLang(fillShapes);
