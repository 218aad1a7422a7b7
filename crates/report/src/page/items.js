// The list of items: search, states, actions, order.
const ITEMS_FIRST = 40, ITEMS_AT_ONCE = 200;
const IN_ORDER = ['collected'], ABSENT = ['not-present', 'not-applicable'], CUT = ['truncated', 'over-budget'];

function readItems(data) {
  const items = [];
  for (let i = 0; i < data.cells.length; i += 5) {
    const [action, state, folder, bytes, reason] = data.cells.slice(i, i + 5);
    const item = {
      action: data.actions[action], state: data.states[state], folder: data.folders[folder], name: data.names[i / 5],
      bytes: bytes - 1, reason: reason ? data.reasons[reason - 1] : '',
    };
    item.path = (item.folder && item.folder + '/') + item.name;
    item.words = `${item.path} ${item.action} ${item.reason}`.toLowerCase();
    items.push(item);
  }
  return items;
}

function stateClass(state) {
  const kind = IN_ORDER.includes(state) ? 'in-order' : ABSENT.includes(state) ? 'absent' : CUT.includes(state) ? 'cut' : 'missing';
  return 'state ' + kind;
}

function startItems() {
  const data = dataOf('items-data');
  if (!data) return;
  const items = readItems(data);
  const list = {
    items, states: new Set(), sort: 'path', down: false, shown: ITEMS_FIRST,
    search: make('input', { type: 'search', placeholder: 'Search paths, actions, reasons', 'aria-label': 'Search items', 'aria-controls': 'items-rows' }),
    action: make('select', { 'aria-label': 'Action' }, make('option', { value: '' }, 'All actions')),
    told: make('span', { class: 'muted', role: 'status' }),
    rows: make('tbody', { id: 'items-rows' }),
    more: make('button', { type: 'button', class: 'show-more' }),
  };
  for (const action of [...data.actions].sort()) list.action.append(make('option', { value: action }, action));
  stateButtons(list);
  const again = () => { list.shown = ITEMS_FIRST; listItems(list); };
  list.search.addEventListener('input', settled(again));
  list.action.addEventListener('change', again);
  list.more.addEventListener('click', () => {
    const before = list.rows.children.length;
    list.shown += ITEMS_AT_ONCE;
    listItems(list);
    const next = list.rows.children[before];
    const link = next && next.querySelector('a');
    if (link) link.focus();
  });
  const table = make('table', {}, make('thead', {}, itemsHead(list, again)), list.rows);
  byId('items-app').append(make('div', { class: 'tools items-tools' }, list.search, list.action, list.told),
    make('div', { class: 'items' }, table), list.more);
  byId('items-app').hidden = false;
  listItems(list);
}

// The counts of states become buttons that choose what is listed.
function stateButtons(list) {
  for (const element of byId('states').children) {
    const state = element.lastChild.textContent.trim();
    const button = toggle(false, (on) => {
      if (on) list.states.add(state); else list.states.delete(state);
      list.shown = ITEMS_FIRST;
      listItems(list);
    }, ...element.childNodes);
    button.classList.add('state-button');
    button.setAttribute('aria-label', `Only ${state}: ${element.textContent || button.textContent}`);
    element.append(button);
  }
}

function itemsHead(list, again) {
  const columns = [['state', 'state', ''], ['path', 'path', ''], ['bytes', 'size', 'number'], ['action', 'action', ''], ['reason', 'reason', '']];
  return make('tr', {}, ...columns.map(([key, name, kind]) => {
    const head = make('th', { scope: 'col', class: kind || undefined, 'aria-sort': key === list.sort ? 'ascending' : undefined });
    head.append(make('button', {
      type: 'button',
      click: () => {
        list.down = list.sort === key ? !list.down : key === 'bytes';
        list.sort = key;
        for (const other of head.parentElement.children) other.removeAttribute('aria-sort');
        head.setAttribute('aria-sort', list.down ? 'descending' : 'ascending');
        again();
      },
    }, name));
    return head;
  }));
}

function listItems(list) {
  const words = list.search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const action = list.action.value;
  const fits = (item) => (!action || item.action === action) && (!list.states.size || list.states.has(item.state))
    && words.every((word) => item.words.includes(word));
  const found = list.items.filter(fits);
  const key = list.sort;
  const order = key === 'bytes' ? (a, b) => a.bytes - b.bytes : (a, b) => (a[key] < b[key] ? -1 : a[key] > b[key] ? 1 : 0);
  found.sort((a, b) => (list.down ? order(b, a) : order(a, b)));
  list.rows.replaceChildren(...found.slice(0, list.shown).map(itemRow));
  list.told.textContent = found.length === list.items.length ? counted(found.length, 'item', 'items') : `${count(found.length)} of ${counted(list.items.length, 'item', 'items')}`;
  list.more.hidden = found.length <= list.shown;
  list.more.textContent = `Show ${count(Math.min(ITEMS_AT_ONCE, found.length - list.shown))} more of ${count(found.length)}`;
}

function itemRow(item) {
  const path = [make('span', { class: 'folder' }, item.folder && item.folder + '/'), item.name];
  return make('tr', {},
    make('td', {}, make('span', { class: stateClass(item.state) }, item.state)),
    make('td', { class: 'path mono' }, ...(item.bytes < 0 ? path : [make('a', { href: fileHref(item.path) }, ...path)])),
    make('td', { class: 'number' }, item.bytes < 0 ? '' : bytesText(item.bytes)),
    make('td', {}, item.action),
    make('td', { class: 'note' }, item.reason));
}
