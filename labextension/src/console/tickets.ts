import type { TranslationBundle } from '@jupyterlab/translation';
import { ApiError } from '../api/error';
import type { Target } from '../api/target';
import type { ConsoleAccess } from '../api/types';
import type { IVmPools } from '../tokens';

/**
 * Asks for the tickets of one console, and never takes it from somebody without having asked the person:
 * a tab that comes back by itself, after a loss or with the layout, is no answer to that question.
 *
 * Nor does it take a SPICE display back, which has one viewer at a time: two tabs would take it from each other for ever.
 */
export class Tickets {
  constructor(
    private readonly _target: Target,
    private readonly _pools: IVmPools,
    private readonly _trans: TranslationBundle
  ) {}

  /** The person was asked, and agreed: the next ticket may take the console over. */
  agree(): void {
    this._isAgreed = true;
  }

  /** `hasEnded` if the display ended while it was shown here. */
  async ask(hasEnded = false): Promise<ConsoleAccess> {
    await this._pools.ready;
    if (!this._isAgreed) {
      this._requireNobodyElse(hasEnded);
    }
    this._isAgreed = false;
    return this._pools.openConsole(this._target);
  }

  private _requireNobodyElse(hasEnded: boolean): void {
    const vm = this._pools.vm(this._target);
    if (vm?.console === 'inUse') {
      throw new ApiError('console-in-use', this._inUse(), 409);
    }
    if (hasEnded && vm?.display === 'spice' && this._pools.allows(this._target, 'console')) {
      throw new ApiError('console-elsewhere', this._elsewhere(), 409);
    }
  }

  private _inUse(): string {
    return this._trans.__(
      'Somebody else is connected to the console. Open it from the panel when they have left it, or to take it over.'
    );
  }

  private _elsewhere(): string {
    return this._trans.__(
      'It was opened elsewhere, and has one viewer at a time. Reconnect takes it back.'
    );
  }

  private _isAgreed = false;
}
