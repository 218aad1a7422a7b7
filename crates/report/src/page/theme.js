// Light or dark: as the system says, until the reader chooses.
const THEME_KEY = 'aks-periscope-theme';

function storedTheme() {
  // Pages that were opened as files may have no storage.
  try { return localStorage.getItem(THEME_KEY); } catch { return null; }
}

function currentTheme() {
  const chosen = document.documentElement.dataset.theme;
  return chosen || (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
}

if (['light', 'dark'].includes(storedTheme())) document.documentElement.dataset.theme = storedTheme();

function startTheme() {
  const button = make('button', { type: 'button', class: 'no-print' });
  const name = () => { button.textContent = currentTheme() === 'dark' ? 'Light theme' : 'Dark theme'; };
  button.addEventListener('click', () => {
    const theme = currentTheme() === 'dark' ? 'light' : 'dark';
    document.documentElement.dataset.theme = theme;
    try { localStorage.setItem(THEME_KEY, theme); } catch { /* It is forgotten with the page. */ }
    name();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', name);
  name();
  byId('theme').append(button);
}
