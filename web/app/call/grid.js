// Where tiles go. Numbers only, no page.

/** @typedef {{x: number, y: number, width: number, height: number}} Box */

const WIDEST = 16 / 9;

/**
 * Equal tiles, as large as the window's shape allows, the last row centred.
 * @param {number} count
 * @param {number} width
 * @param {number} height
 * @param {number} gap
 * @returns {Box[]}
 */
export function layoutGrid(count, width, height, gap) {
  if (count === 0 || width <= 0 || height <= 0) return [];
  // People hold phones upright and sit before screens: tiles may follow, within reason.
  const narrowest = width < height ? 0.75 : 0.9;
  let best = { columns: 1, width: 0, height: 0, score: -1 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const cellWidth = (width - gap * (columns - 1)) / columns;
    const cellHeight = (height - gap * (rows - 1)) / rows;
    if (cellWidth <= 0 || cellHeight <= 0) continue;
    const tileWidth = Math.min(cellWidth, cellHeight * (count === 1 ? Infinity : WIDEST));
    const tileHeight = Math.min(cellHeight, tileWidth / (count === 1 ? 0.5 : narrowest));
    const score = tileWidth * tileHeight;
    if (score > best.score * 1.0001) best = { columns, width: tileWidth, height: tileHeight, score };
  }
  return placeRows(count, best, width, height, gap);
}

/**
 * @param {number} count
 * @param {{columns: number, width: number, height: number}} tile
 * @param {number} width
 * @param {number} height
 * @param {number} gap
 * @returns {Box[]}
 */
function placeRows(count, tile, width, height, gap) {
  const rows = Math.ceil(count / tile.columns);
  const top = (height - rows * tile.height - (rows - 1) * gap) / 2;
  return Array.from({ length: count }, (_, i) => {
    const row = Math.floor(i / tile.columns);
    const inRow = Math.min(tile.columns, count - row * tile.columns);
    const left = (width - inRow * tile.width - (inRow - 1) * gap) / 2;
    const column = i % tile.columns;
    return {
      x: left + column * (tile.width + gap),
      y: top + row * (tile.height + gap),
      width: tile.width,
      height: tile.height,
    };
  });
}

/**
 * A few large tiles and a strip of small ones: beside them in a wide window, below in a tall one.
 * @param {number} large
 * @param {number} small
 * @param {number} width
 * @param {number} height
 * @param {number} gap
 * @returns {{large: Box[], small: Box[]}}
 */
export function layoutStrip(large, small, width, height, gap) {
  if (small === 0) return { large: layoutGrid(large, width, height, gap), small: [] };
  const beside = stripBeside(large, small, width, height, gap);
  const below = stripBelow(large, small, width, height, gap);
  if (width < height) return below;
  const isReadable = rowHeight(small, width, height, gap) > LEAST_ROW;
  return isReadable && shownOf(below.large) > shownOf(beside.large) ? below : beside;
}

const OWN_LEAST = 104;
const OWN_MOST = 208;

/**
 * One wide picture whole, and a small tile of one's own: beside it in a wide window, below in a
 * tall one.
 * @param {number} width
 * @param {number} height
 * @param {number} gap
 * @returns {{picture: Box, own: Box}}
 */
export function layoutMix(width, height, gap) {
  const side = Math.min(Math.max(width * 0.14, OWN_LEAST), OWN_MOST, width / 3);
  const wide = whole(width - side - gap, height);
  const left = (width - wide.width - gap - side) / 2;
  const top = (height - wide.height) / 2;
  const beside = {
    picture: { x: left, y: top, ...wide },
    own: { x: left + wide.width + gap, y: top + wide.height - side * 0.75, width: side, height: side * 0.75 },
  };
  const foot = Math.min(Math.max(height * 0.3, OWN_LEAST), OWN_MOST, height / 2);
  const tall = whole(width, height - foot - gap);
  const head = (height - tall.height - gap - foot) / 2;
  const inset = (width - tall.width) / 2;
  const below = {
    picture: { x: inset, y: head, ...tall },
    own: { x: inset + tall.width - foot * 0.75, y: head + tall.height + gap, width: foot * 0.75, height: foot },
  };
  return below.picture.width > beside.picture.width ? below : beside;
}

/** @param {number} width @param {number} height */
function whole(width, height) {
  const fitting = Math.max(0, Math.min(width, height * WIDEST));
  return { width: fitting, height: fitting / WIDEST };
}

/** How wide a shared screen is shown in the first tile. @param {Box[]} boxes */
export function shownOf([box]) {
  return box ? Math.min(box.width, box.height * WIDEST) : 0;
}

/** @type {typeof layoutStrip} */
function stripBeside(large, small, width, height, gap) {
  const columns = small > 6 && height < 900 ? 2 : 1;
  const perColumn = Math.ceil(small / columns);
  const fit = (height - gap * (perColumn - 1)) / perColumn;
  // What a very wide window leaves beside the picture is the people's.
  const spare = width - gap - height * WIDEST * large;
  const stripWidth = Math.max(Math.min(Math.max(width * 0.2, 112), 280), Math.min(spare, width * 0.4));
  const cell = (stripWidth - gap * (columns - 1)) / columns;
  const tileHeight = Math.min(cell / (4 / 3), fit);
  const main = layoutGrid(large, width - stripWidth - gap, height, gap);
  const strip = placeRows(small, { columns, width: cell, height: tileHeight }, stripWidth, height, gap);
  return { large: main, small: strip.map((box) => ({ ...box, x: box.x + width - stripWidth })) };
}

/** @type {typeof layoutStrip} */
function stripBelow(large, small, width, height, gap) {
  const isTall = width < height;
  const stripHeight = isTall ? rowsHeight(large, small, width, height, gap) : rowHeight(small, width, height, gap);
  const mainHeight = height - stripHeight - gap;
  const row = { columns: small, width: stripHeight * ROW_TILE, height: stripHeight };
  const strip = isTall ? layoutGrid(small, width, stripHeight, gap) : placeRows(small, row, width, stripHeight, gap);
  return {
    large: layoutGrid(large, width, mainHeight, gap),
    small: strip.map((box) => ({ ...box, y: box.y + mainHeight + gap })),
  };
}

/**
 * A shared screen is wide: what a tall window has left is the people's, two in a row.
 * @param {number} large
 * @param {number} small
 * @param {number} width
 * @param {number} height
 * @param {number} gap
 */
function rowsHeight(large, small, width, height, gap) {
  const rows = Math.ceil(small / 2);
  const wanted = rows * width * 0.5 + (rows - 1) * gap;
  return Math.min(wanted, height - gap - Math.min(Math.max(width * 0.72 * large, height * 0.34), height * 0.6));
}

const ROW_TILE = 1.4;
const LEAST_ROW = 72;

/**
 * The height of a strip that is one row.
 * @param {number} count
 * @param {number} width
 * @param {number} height
 * @param {number} gap
 */
function rowHeight(count, width, height, gap) {
  return Math.min((width - gap * (count - 1)) / count / ROW_TILE, height * 0.24);
}
