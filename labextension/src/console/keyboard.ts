import type { IDisposable } from '@lumino/disposable';

/**
 * The way out of a console for keyboards: Ctrl+Shift+Escape, or Ctrl+F6 where the system keeps the former for itself.
 *
 * The focus moves when the modifiers are let go, not before: else the guest would never hear of that,
 * and go on as if they were held down.
 */
export function onLeaveKeys(node: HTMLElement, leave: () => void): IDisposable {
  let isLeaving = false;
  const onKeyDown = (event: KeyboardEvent): void => {
    if (isLeaveKey(event)) {
      event.preventDefault();
      event.stopPropagation();
      isLeaving = true;
    }
  };
  const onKeyUp = (event: KeyboardEvent): void => {
    if (isLeaving && !event.ctrlKey && !event.shiftKey) {
      isLeaving = false;
      // The event itself still goes on to noVNC.
      leave();
    }
  };
  const listening = new AbortController();
  const options = { capture: true, signal: listening.signal };
  node.addEventListener('keydown', onKeyDown, options);
  node.addEventListener('keyup', onKeyUp, options);
  // Left otherwise, as by a key of the system: the next key is no answer to that.
  node.addEventListener('focusout', () => (isLeaving = false), options);
  return {
    get isDisposed() {
      return listening.signal.aborted;
    },
    dispose: () => listening.abort()
  };
}

function isLeaveKey(event: KeyboardEvent): boolean {
  const { key, ctrlKey, shiftKey } = event;
  return ctrlKey && ((shiftKey && key === 'Escape') || key === 'F6');
}
