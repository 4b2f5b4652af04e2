import type { TranslationBundle } from '@jupyterlab/translation';
import { ApiError } from '../api/error';
import type { Target } from '../api/target';
import type { ConsoleAccess } from '../api/types';
import type { IVmPools } from '../tokens';

/**
 * Asks for the tickets of one console, and never takes it from somebody without having asked the person:
 * a tab that comes back by itself, after a loss or with the layout, is no answer to that question.
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

  async ask(): Promise<ConsoleAccess> {
    await this._pools.ready;
    if (this._pools.vm(this._target)?.console === 'inUse' && !this._isAgreed) {
      throw new ApiError('console-in-use', this._inUse(), 409);
    }
    this._isAgreed = false;
    return this._pools.openConsole(this._target);
  }

  private _inUse(): string {
    return this._trans.__(
      'Somebody else is connected to the console. Open it from the panel when they have left it, or to take it over.'
    );
  }

  private _isAgreed = false;
}
