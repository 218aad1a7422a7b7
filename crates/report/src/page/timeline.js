// The timeline as a whole: its tools, what mouse and keys do in it, and the list of lines.
const LINES_FIRST = 20, LINES_AT_ONCE = 100;
const RANGES = [['Whole range', 0], ['Last 7 days', 604800], ['Last 24 hours', 86400], ['Last 6 hours', 21600], ['Last hour', 3600], ['Last 10 minutes', 600]];

function startTimeline() {
  const data = dataOf('timeline-data');
  if (!data) return;
  const app = byId('timeline-app');
  const moments = readMoments(data);
  const plot = {
    moments, levels: [true, true], width: 0, cursor: null, chosen: null, lines: LINES_FIRST,
    view: { from: moments.first, to: moments.last },
    svg: draw('svg', { 'aria-hidden': 'true' }),
    tip: make('div', { class: 'tip', hidden: true }),
    said: make('p', { class: 'unseen', role: 'status' }),
    list: make('ol', { class: 'entries', id: 'timeline-lines' }),
    title: make('h3', { id: 'timeline-lines-title', tabindex: '-1' }),
    more: make('button', { type: 'button', class: 'show-more' }, 'Show more'),
    search: make('input', { type: 'search', placeholder: 'Search these lines', 'aria-label': 'Search these lines', 'aria-controls': 'timeline-lines' }),
    release: make('button', { type: 'button', hidden: true }, 'List the whole view'),
    newest: true,
  };
  plot.frame = make('div', {
    class: 'plot', tabindex: '0', role: 'application', 'aria-roledescription': 'timeline',
    'aria-label': 'Errors and warnings over time', 'aria-describedby': 'timeline-keys',
  }, plot.svg, plot.tip);
  app.append(timelineTools(plot), plot.frame, timelineKeys(), plot.said, entriesHead(plot), plot.list, plot.more);
  app.hidden = false;
  listenToPointer(plot);
  listenToKeys(plot);
  plot.more.addEventListener('click', () => {
    plot.lines += LINES_AT_ONCE;
    const before = plot.list.children.length;
    listLines(plot);
    const next = plot.list.children[before];
    if (next) next.querySelector('a').focus();
  });
  plot.search.addEventListener('input', settled(() => { plot.lines = LINES_FIRST; listLines(plot); }));
  plot.release.addEventListener('click', () => { choose(plot, null); plot.frame.focus(); });
  new ResizeObserver(() => {
    const width = plot.frame.clientWidth;
    if (width && width !== plot.width) {
      plot.width = width;
      redraw(plot);
    }
  }).observe(plot.frame);
  plot.width = plot.frame.clientWidth || 800;
  redraw(plot);
  listLines(plot);
}

function timelineTools(plot) {
  const refresh = () => { plot.cursor = null; plot.chosen = null; redraw(plot); listLines(plot); };
  const levels = LEVELS.map((name, level) => toggle(true, (on) => { plot.levels[level] = on; refresh(); },
    make('span', { class: 'swatch ' + name }), name === 'error' ? 'Errors' : 'Warnings'));
  const sources = plot.moments.lanes.map((lane) => toggle(true, (on) => { lane.shown = on; refresh(); },
    lane.name + ' ', make('span', { class: 'count' }, count(lane.counts[0] + lane.counts[1]))));
  const button = (text, label, call) => make('button', { type: 'button', 'aria-label': label, title: label, click: call }, text);
  const ranges = make('select', { 'aria-label': 'Range' }, make('option', { value: 'own', hidden: true }, 'Chosen range'));
  const { first, last } = plot.moments;
  for (const [name, seconds] of RANGES) {
    if (seconds * 1000 < last - first) ranges.append(make('option', { value: seconds }, name));
  }
  ranges.addEventListener('change', () => {
    const seconds = Number(ranges.value);
    setView(plot, seconds ? last - seconds * 1000 : first, last);
  });
  ranges.value = 0;
  plot.ranges = ranges;
  return make('div', { class: 'timeline-tools' },
    make('div', { class: 'tools', role: 'group', 'aria-label': 'Levels' }, ...levels),
    make('div', { class: 'tools', role: 'group', 'aria-label': 'Sources' }, ...sources),
    make('div', { class: 'tools', role: 'group', 'aria-label': 'View' },
      button('+', 'Zoom in', () => zoom(plot, 0.5)), button('−', 'Zoom out', () => zoom(plot, 2)),
      button('←', 'Earlier', () => pan(plot, -0.5)), button('→', 'Later', () => pan(plot, 0.5)), ranges));
}

function timelineKeys() {
  const key = (name) => make('kbd', {}, name);
  return make('p', { class: 'keys', id: 'timeline-keys' },
    'Drag to zoom, click a bar for its lines, Ctrl and wheel to zoom (in focus the wheel alone). Keys: ',
    key('←'), ' ', key('→'), ' next bar, ', key('↑'), ' ', key('↓'), ' source, ', key('Enter'), ' its lines, ',
    key('+'), ' ', key('−'), ' zoom, ', key('Shift'), ' ', key('←'), ' ', key('→'), ' move, ', key('0'), ' everything, ', key('Esc'), ' let go.');
}

function entriesHead(plot) {
  const order = toggle(true, (on) => { plot.newest = on; listLines(plot); }, 'Newest first');
  return make('div', { class: 'entries-head' }, plot.title, plot.release, make('div', { class: 'tools' }, order, plot.search));
}

function setView(plot, from, to) {
  const { first, last, width } = plot.moments;
  const least = Math.min(last - first, Math.max(8 * width, 8000));
  const span = Math.min(Math.max(to - from, least), last - first);
  from = Math.min(Math.max((from + to - span) / 2, first), last - span);
  plot.view = { from, to: from + span };
  plot.cursor = null;
  const chosen = RANGES.find(([, seconds]) => (seconds ? seconds * 1000 : last - first) === span && from + span === last);
  plot.ranges.value = chosen ? chosen[1] : 'own';
  redraw(plot);
  plot.lines = LINES_FIRST;
  if (!plot.chosen) listLines(plot);
}

function zoom(plot, factor, around = cursorTime(plot)) {
  const { from, to } = plot.view;
  setView(plot, around - (around - from) * factor, around + (to - around) * factor);
}

function pan(plot, part) {
  const { from, to } = plot.view;
  const by = (to - from) * part;
  const { first, last } = plot.moments;
  const allowed = Math.min(Math.max(by, first - from), last - to);
  setView(plot, from + allowed, to + allowed);
}

function cursorTime(plot) {
  return plot.cursor ? (plot.cursor.from + plot.cursor.to) / 2 : (plot.view.from + plot.view.to) / 2;
}

function redraw(plot) {
  drawPlot(plot);
  showCursor(plot, plot.cursor);
  showChosen(plot);
}

// A place is a span of time in one source's lane, or in all lanes.
function placeAt(plot, x, y) {
  const { begin, width } = plot.columns;
  const at = plot.view.from + x / plot.width * (plot.view.to - plot.view.from);
  const from = begin + Math.floor((at - begin) / width) * width;
  const lane = plot.shownLanes[Math.floor((y - OVERVIEW) / LANE)];
  return { from, to: from + width, source: lane ? lane.id : null };
}

function countsAt(plot, place) {
  const counts = [0, 0];
  for (const cell of plot.columns.cells) {
    if (cell.from === place.from && (place.source === null || cell.source === place.source)) {
      counts[0] += cell.counts[0];
      counts[1] += cell.counts[1];
    }
  }
  return counts;
}

function placeText(plot, place) {
  const source = place.source === null ? 'all sources' : plot.moments.sources[place.source].name;
  return `${timeText(place.from)} to ${timeText(place.to).slice(timeText(place.from).slice(0, 10) === timeText(place.to).slice(0, 10) ? 11 : 0)}, ${source}`;
}

function showCursor(plot, place) {
  plot.cursor = place;
  const counts = place ? countsAt(plot, place) : [0, 0];
  const left = place ? plot.x(place.from) : 0;
  const lane = place ? plot.shownLanes.findIndex((lane) => lane.id === place.source) : -1;
  plot.cursorMark.setAttribute('y', OVERVIEW + Math.max(0, lane) * LANE);
  plot.cursorMark.setAttribute('height', (lane < 0 ? plot.shownLanes.length : 1) * LANE);
  plot.cursorMark.setAttribute('x', left);
  plot.cursorMark.setAttribute('width', place ? Math.max(3, plot.x(place.to) - left) : 0);
  plot.tip.hidden = !place || counts[0] + counts[1] === 0;
  if (plot.tip.hidden) return;
  const lines = linesOf(plot, place).slice(-3);
  plot.tip.replaceChildren(make('b', {}, placeText(plot, place)), make('div', {}, countsText(counts)),
    ...lines.map((line) => make('div', { class: 'mono' }, line.text)));
  const room = plot.width - plot.tip.offsetWidth - 8;
  plot.tip.style.left = Math.max(8, Math.min(left + 12, room)) + 'px';
  plot.tip.style.top = OVERVIEW + (lane < 0 ? 0 : lane + 1) * LANE + 4 + 'px';
}

function showChosen(plot) {
  const { chosen, chosenMark } = plot;
  const lane = chosen ? plot.shownLanes.findIndex((lane) => lane.id === chosen.source) : -1;
  const left = chosen ? plot.x(chosen.from) : 0;
  const isSeen = chosen && chosen.to > plot.view.from && chosen.from < plot.view.to;
  chosenMark.setAttribute('x', left - 1);
  chosenMark.setAttribute('width', isSeen ? Math.max(4, plot.x(chosen.to) - left + 1) : 0);
  chosenMark.setAttribute('y', OVERVIEW + Math.max(0, lane) * LANE + 1);
  chosenMark.setAttribute('height', isSeen ? (lane < 0 ? plot.shownLanes.length : 1) * LANE - 2 : 0);
}

function choose(plot, place) {
  plot.chosen = place;
  plot.lines = LINES_FIRST;
  showChosen(plot);
  listLines(plot);
}

function listenToPointer(plot) {
  const { frame } = plot;
  let drag = null;
  const position = (event) => {
    const box = plot.svg.getBoundingClientRect();
    return { x: Math.min(Math.max(event.clientX - box.left, 0), plot.width), y: event.clientY - box.top };
  };
  const timeAt = (x) => plot.view.from + x / plot.width * (plot.view.to - plot.view.from);
  const center = (x) => {
    const { first, last } = plot.moments;
    const half = (plot.view.to - plot.view.from) / 2;
    const at = Math.min(Math.max(first + x / plot.width * (last - first), first + half), last - half);
    setView(plot, at - half, at + half);
  };
  frame.addEventListener('pointerdown', (event) => {
    if (event.button !== 0 || event.pointerType === 'touch') return;
    const { x, y } = position(event);
    drag = { x, overview: y < OVERVIEW - 4 };
    frame.setPointerCapture(event.pointerId);
    if (drag.overview) center(x);
  });
  frame.addEventListener('pointermove', (event) => {
    const { x, y } = position(event);
    if (drag && drag.overview) return center(x);
    if (drag && Math.abs(x - drag.x) > 4) {
      drag.moved = true;
      plot.brushMark.setAttribute('x', Math.min(x, drag.x));
      plot.brushMark.setAttribute('width', Math.abs(x - drag.x));
      showCursor(plot, null);
    } else if (!drag) {
      const inside = y >= OVERVIEW && y < OVERVIEW + plot.shownLanes.length * LANE;
      showCursor(plot, inside ? placeAt(plot, x, y) : null);
    }
  });
  frame.addEventListener('pointerup', (event) => {
    const { x } = position(event);
    if (drag && drag.moved) setView(plot, timeAt(Math.min(x, drag.x)), timeAt(Math.max(x, drag.x)));
    drag = drag && { ended: drag.moved || drag.overview };
    plot.brushMark.setAttribute('width', 0);
  });
  frame.addEventListener('click', (event) => {
    const { x, y } = position(event);
    const isBar = !(drag && drag.ended) && y >= OVERVIEW && y < OVERVIEW + plot.shownLanes.length * LANE;
    drag = null;
    if (!isBar) return;
    const place = placeAt(plot, x, y);
    const [errors, warnings] = countsAt(plot, place);
    showCursor(plot, place);
    choose(plot, errors + warnings ? place : null);
  });
  frame.addEventListener('pointercancel', () => { drag = null; plot.brushMark.setAttribute('width', 0); });
  frame.addEventListener('pointerleave', () => { if (!drag) showCursor(plot, null); });
  frame.addEventListener('wheel', (event) => {
    const isFocused = document.activeElement === frame;
    if (!event.ctrlKey && !event.metaKey && !isFocused) return;
    event.preventDefault();
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey) {
      pan(plot, Math.sign(event.deltaX || event.deltaY) * 0.1);
    } else {
      zoom(plot, event.deltaY < 0 ? 0.8 : 1.25, timeAt(position(event).x));
    }
  }, { passive: false });
}

function listenToKeys(plot) {
  const lanesOf = (place) => [null, ...plot.shownLanes.map((lane) => lane.id)].indexOf(place ? place.source : null);
  const tell = () => {
    if (!plot.cursor) return;
    const lines = linesOf(plot, plot.cursor);
    const words = lines.length ? ' Newest: ' + lines.at(-1).text : '';
    plot.said.textContent = `${placeText(plot, plot.cursor)}: ${countsText(countsAt(plot, plot.cursor))}.${words}`;
  };
  // Goes to the next bar of the lane, or moves the view where there is none.
  const step = (direction) => {
    const source = plot.cursor ? plot.cursor.source : null;
    const starts = [...new Set(plot.columns.cells.filter((cell) => source === null || cell.source === source).map((cell) => cell.from))];
    starts.sort((a, b) => (a - b) * direction);
    const here = plot.cursor ? plot.cursor.from : direction > 0 ? -Infinity : Infinity;
    const from = starts.find((start) => (start - here) * direction > 0);
    if (from === undefined) return;
    showCursor(plot, { from, to: from + plot.columns.width, source });
    tell();
  };
  const lane = (by) => {
    const ids = [null, ...plot.shownLanes.map((lane) => lane.id)];
    const source = ids[Math.min(Math.max(lanesOf(plot.cursor) + by, 0), ids.length - 1)];
    if (!plot.cursor) step(-1);
    if (plot.cursor) showCursor(plot, { ...plot.cursor, source });
    tell();
  };
  const keys = {
    ArrowLeft: (event) => (event.shiftKey ? pan(plot, -0.25) : step(-1)),
    ArrowRight: (event) => (event.shiftKey ? pan(plot, 0.25) : step(1)),
    ArrowUp: () => lane(-1),
    ArrowDown: () => lane(1),
    '+': () => zoom(plot, 0.5),
    '=': () => zoom(plot, 0.5),
    '-': () => zoom(plot, 2),
    0: () => setView(plot, plot.moments.first, plot.moments.last),
    Home: () => { plot.cursor = null; step(1); },
    End: () => { plot.cursor = null; step(-1); },
    Enter: () => { if (plot.cursor) { choose(plot, { ...plot.cursor }); plot.title.focus(); } },
    Escape: () => { showCursor(plot, null); choose(plot, null); },
  };
  plot.frame.addEventListener('keydown', (event) => {
    const act = keys[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act(event);
    if (['+', '=', '-', '0'].includes(event.key)) plot.said.textContent = `${timeText(plot.view.from)} to ${timeText(plot.view.to)}`;
  });
  plot.frame.addEventListener('blur', () => showCursor(plot, null));
}

// The lines in words of a place, oldest first.
function linesOf(plot, place) {
  return plot.moments.entries.filter((entry) => entry.at >= place.from && entry.at < place.to && plot.levels[entry.level]
    && plot.moments.sources[entry.source].shown && (place.source === null || entry.source === place.source));
}

function listLines(plot) {
  const place = plot.chosen || { ...plot.view, to: plot.view.to + 1, source: null };
  const words = plot.search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let lines = linesOf(plot, place);
  const inWords = lines.length;
  if (words.length) lines = lines.filter((line) => words.every((word) => (line.text + ' ' + line.file).toLowerCase().includes(word)));
  if (plot.newest) lines.reverse();
  let total = 0;
  for (const bucket of plot.moments.buckets) {
    const isIn = bucket.at + plot.moments.width > place.from && bucket.at < place.to && (place.source === null || bucket.source === place.source);
    if (isIn && plot.levels[bucket.level] && plot.moments.sources[bucket.source].shown) total += bucket.count;
  }
  total = Math.max(total, inWords);
  const part = words.length ? `${count(lines.length)} found in ${counted(inWords, 'line', 'lines')}` : inWords < total
    ? `${count(total)} lines, the newest ${count(inWords)} in words` : counted(total, 'line', 'lines');
  plot.title.textContent = (plot.chosen ? placeText(plot, plot.chosen) : 'In view') + ': ' + part;
  plot.release.hidden = !plot.chosen;
  plot.list.replaceChildren(...lines.slice(0, plot.lines).map((line) => lineElement(plot, line)));
  plot.more.hidden = lines.length <= plot.lines;
  plot.more.textContent = `Show ${count(Math.min(LINES_AT_ONCE, lines.length - plot.lines))} more of ${count(lines.length)}`;
}

function lineElement(plot, line) {
  const level = LEVELS[line.level];
  const where = line.line ? `${line.file} line ${count(line.line)}` : line.file;
  return make('li', {},
    make('time', { datetime: new Date(line.at).toISOString() }, timeText(line.at)),
    make('span', { class: 'level ' + level }, level),
    make('span', { class: 'source' }, plot.moments.sources[line.source].name),
    make('div', { class: 'words' },
      make('div', { class: 'said mono' }, line.text),
      make('a', { class: 'where', href: fileHrefAt(line.file, line.text) }, where)));
}
