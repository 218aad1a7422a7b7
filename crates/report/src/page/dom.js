// Makes elements. Whatever comes from a node is written as text, never as markup.
const SVG = 'http://www.w3.org/2000/svg';

function make(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function draw(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (typeof value === 'function') {
      element.addEventListener(name, value);
    } else if (value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? '' : value);
    }
  }
  element.append(...children);
  return element;
}

function byId(id) {
  return document.getElementById(id);
}

// The data of a part of the page; nothing when it has none.
function dataOf(id) {
  const element = byId(id);
  return element && JSON.parse(element.textContent);
}

function count(number) {
  return number.toLocaleString('en');
}

function counted(number, one, many) {
  return count(number) + ' ' + (number === 1 ? one : many);
}

function timeText(at) {
  return new Date(at).toISOString().slice(0, 19).replace('T', ' ');
}

function bytesText(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (bytes >= 1024 && unit < units.length - 1) {
    bytes /= 1024;
    unit += 1;
  }
  return (unit === 0 || bytes >= 100 ? Math.floor(bytes) : bytes.toFixed(1)) + ' ' + units[unit];
}

// The reference to a file beside the page. The leading dot keeps a name from being read as a scheme.
function fileHref(path) {
  return './' + path.split('/').map(encodeURIComponent).join('/');
}

// The reference to the place in a file where these words stand.
function fileHrefAt(path, words) {
  let start = '';
  for (const word of words.split(' ')) {
    if (start.length + word.length > 80) break;
    start += (start && ' ') + word;
  }
  const fragment = /[\p{L}\p{N}]/u.test(start) ? '#:~:text=' + encodeURIComponent(start.trim()).replaceAll('-', '%2D') : '';
  return fileHref(path) + fragment;
}

// A button that is pressed or not.
function toggle(pressed, change, ...children) {
  const button = make('button', { type: 'button', 'aria-pressed': String(pressed) }, ...children);
  button.addEventListener('click', () => {
    const now = button.getAttribute('aria-pressed') !== 'true';
    button.setAttribute('aria-pressed', String(now));
    change(now);
  });
  return button;
}

// Calls once the user has stopped typing.
function settled(call) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(call, 120);
  };
}
