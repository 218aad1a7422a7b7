// Draws the timeline: the whole range above, then a lane for each source, then the axis.
const OVERVIEW = 30, LANE = 42, NAME = 16, AXIS = 22, GAP = 5;
const WIDEST_BAR = 14, LETTER = 6.4;

function plotHeight(lanes) {
  return OVERVIEW + lanes * LANE + AXIS;
}

function drawPlot(plot) {
  const { svg, moments, view, levels, width } = plot;
  const lanes = moments.lanes.filter((lane) => lane.shown);
  const height = plotHeight(lanes.length);
  const whole = { from: moments.first, to: moments.last };
  const x = (at) => (at - view.from) / (view.to - view.from) * width;
  const columns = columnsOf(moments, view, levels, Math.floor(width / GAP));
  plot.columns = columns;
  plot.shownLanes = lanes;
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  svg.setAttribute('height', height);
  const marks = [];
  drawOverview(marks, moments, levels, whole, view, width);
  let free = 0;
  for (const tick of ticksOf(view, Math.max(2, Math.floor(width / 95)))) {
    const at = Math.round(x(tick.at)) + 0.5;
    marks.push(draw('line', { class: 'rule', x1: at, x2: at, y1: OVERVIEW, y2: height - AXIS + 4 }));
    const wide = tick.text.length * LETTER;
    const left = Math.min(Math.max(at - wide / 2, 4), width - wide - 4);
    if (left < free) continue;
    free = left + wide + 10;
    marks.push(draw('text', { x: left.toFixed(1), y: height - 6 }, tick.text));
  }
  const top = Math.log1p(Math.max(1, ...columns.cells.map(totalOf)));
  const sums = new Map(lanes.map((lane) => [lane.id, [0, 0]]));
  const at = new Map(lanes.map((lane, index) => [lane.id, OVERVIEW + index * LANE]));
  for (const cell of columns.cells) {
    sums.get(cell.source)[0] += cell.counts[0];
    sums.get(cell.source)[1] += cell.counts[1];
    drawCell(marks, cell, x, at.get(cell.source) + LANE, LANE - NAME - 3, top);
  }
  for (const lane of lanes) {
    const y = at.get(lane.id);
    marks.push(draw('line', { class: 'rule', x1: 0, x2: width, y1: y + LANE + 0.5, y2: y + LANE + 0.5 }));
    marks.push(draw('text', { x: 8, y: y + 13 },
      draw('tspan', { class: 'lane-name' }, lane.name), draw('tspan', { dx: 8 }, countsText(sums.get(lane.id)))));
  }
  plot.cursorMark = draw('rect', { class: 'cursor', y: OVERVIEW, height: lanes.length * LANE, width: 0 });
  plot.chosenMark = draw('rect', { class: 'chosen', width: 0, height: 0 });
  plot.brushMark = draw('rect', { class: 'brush', y: OVERVIEW, height: lanes.length * LANE, width: 0 });
  svg.replaceChildren(...marks, plot.cursorMark, plot.chosenMark, plot.brushMark);
  plot.x = x;
}

function drawCell(marks, cell, x, bottom, room, top) {
  const left = x(cell.from), wide = Math.min(Math.max(2, x(cell.to) - left - 1), WIDEST_BAR);
  const high = 3 + (room - 3) * Math.log1p(totalOf(cell)) / top;
  const errors = cell.counts[1] ? Math.max(cell.counts[0] ? 3 : 0, high * cell.counts[0] / totalOf(cell)) : high;
  const bar = (name, y, height) => marks.push(draw('rect', { class: name, x: left.toFixed(1), width: wide.toFixed(1), y: y.toFixed(1), height: height.toFixed(1) }));
  if (errors > 0) bar('error', bottom - errors, errors);
  if (high > errors) bar('warning', bottom - high, high - errors);
}

function drawOverview(marks, moments, levels, whole, view, width) {
  const x = (at) => (at - whole.from) / (whole.to - whole.from) * width;
  marks.push(draw('rect', { class: 'over', width, height: OVERVIEW - 4 }));
  const { cells } = columnsOf(moments, whole, levels, Math.floor(width / 3));
  const sums = new Map();
  for (const cell of cells) {
    const sum = sums.get(cell.column) || { ...cell, counts: [0, 0] };
    sum.counts[0] += cell.counts[0];
    sum.counts[1] += cell.counts[1];
    sums.set(cell.column, sum);
  }
  const top = Math.log1p(Math.max(1, ...[...sums.values()].map(totalOf)));
  for (const cell of sums.values()) drawCell(marks, cell, x, OVERVIEW - 4, OVERVIEW - 8, top);
  const from = x(view.from), to = x(view.to);
  if (to - from < width - 1) {
    marks.push(draw('rect', { class: 'window', x: from, width: Math.max(3, to - from), y: 0.5, height: OVERVIEW - 5 }));
  }
}
