// An address that leads nowhere: a room whose name cannot be one, or anything else.

import { find } from './dom.js';
import { makeNotice } from './notice.js';

const code = location.pathname.startsWith('/r/') ? 'bad_room' : 'not_found';
find('#view', HTMLElement).replaceChildren(makeNotice(code));
