// The timeline's data: counts in buckets of one width, and the newest lines in words.
function readMoments(data) {
  const buckets = [];
  let at = data.start;
  for (let i = 0; i < data.buckets.length; i += 4) {
    at += data.buckets[i] * data.width;
    buckets.push({ at, level: data.buckets[i + 1], source: data.buckets[i + 2], count: data.buckets[i + 3] });
  }
  const entries = [];
  at = data.start;
  for (let i = 0; i < data.entries.length; i += 6) {
    const [since, level, source, file, line, text] = data.entries.slice(i, i + 6);
    at += since;
    entries.push({ at, level, source, line, file: data.files[file], text: data.texts[text] });
  }
  const ends = [buckets.length ? buckets.at(-1).at + data.width : 0, entries.length ? entries.at(-1).at + 1000 : 0];
  const sources = data.sources.map((name, id) => ({ id, name, counts: [0, 0], shown: true }));
  // Where there are no counts, the lines are counted.
  if (!buckets.length) {
    for (const { at, level, source } of entries) buckets.push({ at, level, source, count: 1 });
  }
  for (const { level, source, count } of buckets) sources[source].counts[level] += count;
  const lanes = [...sources].sort((a, b) => b.counts[0] - a.counts[0] || b.counts[1] - a.counts[1]);
  return { width: data.width, first: data.start, last: Math.max(...ends, data.start + 1000), sources, lanes, buckets, entries };
}

const LEVELS = ['error', 'warning'];

// Counts of the buckets of a window in columns of one width. A column is a whole number of buckets, so that none is
// drawn higher only because two of them met in it.
function columnsOf(moments, view, levels, most) {
  const span = view.to - view.from;
  const width = Math.max(1, Math.ceil(span / most / moments.width)) * moments.width;
  const begin = moments.first + Math.floor((view.from - moments.first) / width) * width;
  const columns = new Map();
  for (const bucket of moments.buckets) {
    if (bucket.at + moments.width <= view.from || bucket.at >= view.to) continue;
    if (!levels[bucket.level] || !moments.sources[bucket.source].shown) continue;
    const column = Math.floor((bucket.at - begin) / width);
    const key = column + ':' + bucket.source;
    let cell = columns.get(key);
    if (!cell) {
      cell = { column, source: bucket.source, from: begin + column * width, to: begin + (column + 1) * width, counts: [0, 0] };
      columns.set(key, cell);
    }
    cell.counts[bucket.level] += bucket.count;
  }
  return { width, begin, cells: [...columns.values()] };
}

function totalOf(cell) {
  return cell.counts[0] + cell.counts[1];
}

function countsText([errors, warnings]) {
  const parts = [];
  if (errors) parts.push(counted(errors, 'error', 'errors'));
  if (warnings) parts.push(counted(warnings, 'warning', 'warnings'));
  return parts.join(', ') || 'nothing';
}

// Where the marks of the axis stand, and how each is named.
function ticksOf(view, most) {
  const second = 1000, minute = 60 * second, hour = 60 * minute, day = 24 * hour;
  const steps = [second, 2 * second, 5 * second, 10 * second, 30 * second, minute, 2 * minute, 5 * minute, 10 * minute, 30 * minute,
    hour, 2 * hour, 3 * hour, 6 * hour, 12 * hour, day, 2 * day, 7 * day, 14 * day, 28 * day, 91 * day, 364 * day, 3640 * day];
  const step = steps.find((step) => (view.to - view.from) / step <= most) || steps.at(-1);
  const ticks = [];
  let day_before = '';
  for (let at = Math.ceil(view.from / step) * step; at <= view.to; at += step) {
    const text = timeText(at);
    const [date, time] = [text.slice(0, 10), step < minute ? text.slice(11) : text.slice(11, 16)];
    ticks.push({ at, text: step >= day ? date : date === day_before ? time : `${date.slice(5)} ${time}` });
    day_before = date;
  }
  return ticks;
}
