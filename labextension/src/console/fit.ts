import type { IDisposable } from '@lumino/disposable';

/** Keeps a canvas as large as fits into what is around it, in the middle, by a transform of the node that it is in. */
export class Fit implements IDisposable {
  constructor(
    private readonly _around: HTMLElement,
    private readonly _node: HTMLElement
  ) {
    // Also when a tab is shown again: it had no size meanwhile.
    this._resizes.observe(_around);
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  fit(): void {
    const canvas = this._node.querySelector('canvas');
    const { clientWidth, clientHeight } = this._around;
    if (!canvas || clientWidth === 0 || clientHeight === 0) {
      return;
    }
    const factor = Math.min(clientWidth / canvas.width, clientHeight / canvas.height);
    const left = (clientWidth - factor * canvas.width) / 2;
    const top = (clientHeight - factor * canvas.height) / 2;
    this._node.style.transform = `translate(${left}px, ${top}px) scale(${factor})`;
  }

  dispose(): void {
    this._isDisposed = true;
    this._resizes.disconnect();
  }

  private readonly _resizes = new ResizeObserver(() => this.fit());
  private _isDisposed = false;
}
