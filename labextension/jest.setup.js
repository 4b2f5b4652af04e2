// What JupyterLab's and others' modules expect of a browser at import and jsdom does not have.
globalThis.DragEvent = class extends MouseEvent {};
globalThis.fetch = () => Promise.reject(new Error('There is no network in tests.'));
globalThis.Request = class {};
globalThis.Headers = Map;
window.matchMedia = query => ({
  matches: false,
  media: query,
  addEventListener: () => undefined,
  removeEventListener: () => undefined,
  addListener: () => undefined,
  removeListener: () => undefined
});
Object.defineProperty(navigator, 'clipboard', { value: {} });
Object.defineProperty(navigator, 'appVersion', { value: '5.0' });
