// Searches and unfolds the findings; without scripts they are read as they are.
function startFindings() {
  addEventListener('beforeprint', () => unfold(document, true));
  const tools = byId('findings-tools');
  if (!tools) return;
  const list = byId('findings-list');
  const leaves = [...list.querySelectorAll('.finding')].map((element) => ({ element, words: element.textContent.toLowerCase() }));
  const search = make('input', { type: 'search', placeholder: 'Search findings', 'aria-label': 'Search findings', 'aria-controls': 'findings-list' });
  const told = make('span', { class: 'muted', role: 'status' });
  const none = make('p', { class: 'no-match muted', hidden: true }, 'No finding has these words.');
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const leaf of leaves) {
      leaf.fits = words.every((word) => leaf.words.includes(word));
      shown += leaf.fits;
    }
    // A list element stays when any finding in it does; a fold with hits is unfolded.
    for (const leaf of leaves) leaf.element.hidden = !leaf.fits;
    for (const item of [...list.querySelectorAll('li, .effects')].reverse()) {
      item.hidden = !item.querySelector('.finding:not([hidden])');
    }
    if (words.length) {
      for (const fold of list.querySelectorAll('details.more')) {
        if (fold.querySelector('.finding:not([hidden])')) fold.open = true;
      }
    }
    told.textContent = words.length ? `${count(shown)} of ${count(leaves.length)}` : '';
    none.hidden = shown > 0;
  };
  search.addEventListener('input', settled(filter));
  const all = (open, text) => make('button', { type: 'button', click: () => unfold(list, open) }, text);
  tools.append(told, search, all(true, 'Unfold all'), all(false, 'Fold all'));
  tools.hidden = false;
  list.after(none);
}

function unfold(within, open) {
  for (const fold of within.querySelectorAll('details.finding, details.more, details.checks')) fold.open = open;
}
