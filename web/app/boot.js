// Runs before the first paint, so that theme and language do not flash. A classic script: it
// must not wait for modules.
(() => {
  /** @type {{theme?: string, lang?: string}} */
  let prefs = {};
  try {
    prefs = JSON.parse(localStorage.getItem('madang.prefs') ?? '{}');
  } catch {
    // Storage may be closed to us; then the system decides.
  }
  const root = document.documentElement;
  if (prefs.theme === 'light' || prefs.theme === 'dark') root.dataset.theme = prefs.theme;
  // A page written in one language says so, and keeps it.
  if (document.currentScript?.hasAttribute('data-keep-lang')) return;
  const wanted = new URLSearchParams(location.search).get('lang') ?? prefs.lang;
  const system = navigator.languages.find((l) => /^(en|ko)\b/.test(l)) ?? 'en';
  root.lang = wanted === 'ko' || wanted === 'en' ? wanted : system.slice(0, 2);
})();
