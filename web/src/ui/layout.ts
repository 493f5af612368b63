// Where tiles go. Pure arithmetic, in CSS pixels.

export interface Size {
  width: number;
  height: number;
}

export interface Rect extends Size {
  x: number;
  y: number;
}

/** `solo`: alone. `duet`: one other fills the stage. `grid`: all alike. `spotlight`: a screen is shared. */
export type Mode = 'solo' | 'duet' | 'grid' | 'spotlight';

/** Where everything goes. */
export interface Arrangement {
  mode: Mode;
  screens: Rect[];
  /** Those of the others that are shown; there may be more others than fit. */
  others: Rect[];
  self: Rect;
}

/** Faces survive cropping between these proportions. */
const landscapeRatio = { min: 1, max: 16 / 9 };
const portraitRatio = { min: 0.6, max: 16 / 9 };
/** A stage narrower than this is a phone. */
const narrowPixels = 640;

/** The gap between tiles. */
export function gapOf(stage: Size): number {
  return stage.width < narrowPixels ? 8 : 12;
}

/** How many others are shown at once: more would be too small to see, and too much to decode. */
export function maxOthers(stage: Size): number {
  return stage.width < narrowPixels ? 7 : 15;
}

/**
 * The grid whose tiles are largest: each as big as the others, rows filled from
 * the top, the last one centred.
 */
export function gridRects(count: number, stage: Size): Rect[] {
  if (count === 0) return [];
  const gap = gapOf(stage);
  const ratio = stage.height > stage.width ? portraitRatio : landscapeRatio;
  let best = { columns: 1, width: 0, height: 0 };
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const cellWidth = (stage.width - gap * (columns - 1)) / columns;
    const cellHeight = (stage.height - gap * (rows - 1)) / rows;
    const width = Math.max(0, Math.min(cellWidth, cellHeight * ratio.max));
    const height = Math.max(0, Math.min(cellHeight, width / ratio.min));
    if (width * height > best.width * best.height) best = { columns, width, height };
  }
  return place(count, best, stage, gap);
}

function place(
  count: number,
  grid: { columns: number; width: number; height: number },
  stage: Size,
  gap: number,
): Rect[] {
  const { columns, width, height } = grid;
  const rows = Math.ceil(count / columns);
  const top = (stage.height - rows * height - (rows - 1) * gap) / 2;
  return Array.from({ length: count }, (_, i) => {
    const row = Math.floor(i / columns);
    const inRow = row === rows - 1 ? count - row * columns : columns;
    const left = (stage.width - inRow * width - (inRow - 1) * gap) / 2;
    return { x: left + (i % columns) * (width + gap), y: top + row * (height + gap), width, height };
  });
}

/** Arranges so many others, shared screens and oneself on a stage. */
export function arrange(others: number, screens: number, stage: Size): Arrangement {
  const shown = Math.min(others, maxOthers(stage));
  if (screens > 0) return spotlight(shown, screens, stage);
  const whole = { x: 0, y: 0, ...stage };
  if (shown === 0) return { mode: 'solo', screens: [], others: [], self: whole };
  if (shown === 1) return { mode: 'duet', screens: [], others: [whole], self: corner(stage) };
  const rects = gridRects(shown + 1, stage);
  const self = rects.pop() ?? whole;
  return { mode: 'grid', screens: [], others: rects, self };
}

/** One's own picture in the corner, small. */
function corner(stage: Size): Rect {
  const portrait = stage.height > stage.width;
  const width = portrait ? Math.min(120, stage.width * 0.3) : Math.min(260, Math.max(140, stage.width * 0.2));
  const height = portrait ? (width * 4) / 3 : (width * 9) / 16;
  const margin = gapOf(stage) + 4;
  return { x: stage.width - width - margin, y: stage.height - height - margin, width, height };
}

/** Screens large, people in a strip: beside them on a wide stage, below on a tall one. */
function spotlight(others: number, screens: number, stage: Size): Arrangement {
  const gap = gapOf(stage);
  const beside = stage.width > stage.height * 1.15;
  const room = beside ? stage.height : stage.width;
  const width = beside ? Math.min(232, stage.width * 0.2) : Math.min(150, stage.width * 0.31);
  const height = (width * 9) / 16;
  const fit = Math.max(1, Math.floor((room + gap) / ((beside ? height : width) + gap)));
  const people = Math.min(others + 1, fit);
  const strip = Array.from({ length: people }, (_, i): Rect => {
    const along = i * ((beside ? height : width) + gap);
    return beside
      ? { x: stage.width - width, y: along, width, height }
      : { x: along, y: stage.height - height, width, height };
  });
  const main: Size = beside
    ? { width: stage.width - width - gap, height: stage.height }
    : { width: stage.width, height: stage.height - height - gap };
  const self = strip.pop() ?? { x: 0, y: 0, width: 0, height: 0 };
  return { mode: 'spotlight', screens: stack(screens, main), others: strip, self };
}

/** Screens share the main area without being cropped. */
function stack(count: number, area: Size): Rect[] {
  const gap = gapOf(area);
  const beside = area.width > area.height;
  const each = ((beside ? area.width : area.height) - gap * (count - 1)) / count;
  return Array.from({ length: count }, (_, i) =>
    beside
      ? { x: i * (each + gap), y: 0, width: each, height: area.height }
      : { x: 0, y: i * (each + gap), width: area.width, height: each },
  );
}
