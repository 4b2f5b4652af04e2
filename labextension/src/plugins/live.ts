import type { IDisposable } from '@lumino/disposable';

/** Keeps what was added somewhere in step with what there should be. */
export class LiveItems<T> implements IDisposable {
  constructor(private readonly _add: (item: T) => IDisposable) {}

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Adds what is new, takes away what is gone, and leaves alone what stays; a key is for ever one item. */
  show(items: ReadonlyMap<string, T>): void {
    for (const [key, added] of this._added) {
      if (!items.has(key)) {
        this._added.delete(key);
        added.dispose();
      }
    }
    for (const [key, item] of items) {
      if (!this._added.has(key)) {
        this._added.set(key, this._add(item));
      }
    }
  }

  dispose(): void {
    this._isDisposed = true;
    this.show(new Map());
  }

  private readonly _added = new Map<string, IDisposable>();
  private _isDisposed = false;
}
