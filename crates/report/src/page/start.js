// A part that fails must not take the others with it.
document.addEventListener('DOMContentLoaded', () => {
  for (const start of [startTheme, startFindings, startTimeline, startItems]) {
    try { start(); } catch (error) { console.error(error); }
  }
});
