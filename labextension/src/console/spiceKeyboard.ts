import type { IDisposable } from '@lumino/disposable';
import { scancodeOf } from './scancodes';

export type SendKey = (scancode: readonly number[], isDown: boolean) => void;

/**
 * The keys that are pressed while the focus is in a node, by their places, as every keyboard sends them.
 *
 * In place of spice-html5's own: that one knows the keys of one layout by their letters, says so in an alert of the
 * browser at every other one, and shares what is held down between all consoles of a page.
 */
export class SpiceKeyboard implements IDisposable {
  constructor(
    node: HTMLElement,
    private readonly _send: SendKey
  ) {
    const options = { signal: this._listening.signal };
    node.addEventListener('keydown', event => this._onKey(event, true), options);
    node.addEventListener('keyup', event => this._onKey(event, false), options);
    node.addEventListener(
      'focusout',
      // Whatever is let go elsewhere is not told here.
      event => node.contains(event.relatedTarget as Node | null) || this._releaseAll(),
      options
    );
  }

  get isDisposed(): boolean {
    return this._listening.signal.aborted;
  }

  /** Press these keys together, and let them go. */
  type(...codes: readonly string[]): void {
    codes.forEach(code => this._tell(code, true));
    [...codes].reverse().forEach(code => this._tell(code, false));
  }

  dispose(): void {
    this._listening.abort();
  }

  private _onKey(event: KeyboardEvent, isDown: boolean): void {
    event.preventDefault();
    event.stopPropagation();
    this._tell(event.code, isDown);
    // macOS tells of no other key that is let go before this one.
    if (!isDown && event.key === 'Meta') {
      this._releaseAll();
    }
  }

  private _releaseAll(): void {
    [...this._held].forEach(code => this._tell(code, false));
  }

  private _tell(code: string, isDown: boolean): void {
    const scancode = scancodeOf(code, isDown);
    if (scancode) {
      this._held[isDown ? 'add' : 'delete'](code);
      this._send(scancode, isDown);
    }
  }

  private readonly _listening = new AbortController();
  private readonly _held = new Set<string>();
}
