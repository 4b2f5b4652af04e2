import { PromiseDelegate } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';
import type { IClient } from '../api/client';
import type { ApiError } from '../api/error';
import { asApiError } from '../api/error';
import type { ConsoleAccess, Picture, PoolAction, PoolView, Problem } from '../api/types';
import type { IUpdates } from '../api/updates';
import type { Availability, IVmPools } from '../tokens';

/** Tells the user that the server refused. */
export type TellRefusal = (action: PoolAction, pool: string, refusal: ApiError) => void;

/** What the front end knows: the server's last picture, and what it has asked for meanwhile. */
export class VmPoolManager implements IVmPools, IDisposable {
  constructor(options: VmPoolManager.IOptions) {
    this._client = options.client;
    this._updates = options.updates;
    this._tellRefusal = options.tellRefusal;
    this._updates.picture.connect(this._onPicture, this);
    this._updates.connectedChanged.connect(this._onConnectedChanged, this);
    void this._begin();
  }

  get ready(): Promise<void> {
    return this._ready.promise;
  }

  get availability(): Availability {
    return this._availability;
  }

  get connected(): boolean {
    return this._updates.connected;
  }

  get pools(): readonly PoolView[] {
    return this._pools;
  }

  get problem(): Problem | null {
    return this._problem;
  }

  get changed(): ISignal<IVmPools, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._updates.dispose();
    Signal.clearData(this);
  }

  pool(name: string): PoolView | undefined {
    return this._pools.find(pool => pool.name === name);
  }

  pending(pool: string): PoolAction | undefined {
    return this._pending.get(pool);
  }

  allows(pool: string, action: PoolAction): boolean {
    const view = this.pool(pool);
    return view !== undefined && !view.why[action];
  }

  async start(pool: string): Promise<void> {
    await this._act('start', pool, () => this._client.start(pool));
  }

  async stop(pool: string): Promise<void> {
    await this._act('stop', pool, () => this._client.stop(pool));
  }

  async reset(pool: string): Promise<void> {
    await this._act('reset', pool, () => this._client.reset(pool));
  }

  async release(pool: string): Promise<void> {
    await this._act('release', pool, () => this._client.release(pool));
  }

  async openConsole(pool: string): Promise<ConsoleAccess> {
    return this._client.openConsole(pool);
  }

  /** The one HTTP request for pools there is; from then on the socket tells. */
  private async _begin(): Promise<void> {
    try {
      this._show(await this._client.pools(), null);
    } catch (error) {
      const refusal = asApiError(error);
      if (isMissing(refusal)) {
        this._setUnsupported();
        return;
      }
      this._showProblem(refusal);
    }
    if (!this._isDisposed) {
      this._updates.connect();
    }
  }

  private _setUnsupported(): void {
    this._availability = 'unsupported';
    this._ready.resolve();
    this._emitChanged();
  }

  /** The server is there and cannot say; a socket would not tell why. */
  private _showProblem({ code, message, status }: ApiError): void {
    if (status > 0) {
      this._problem = { code, message, since: new Date().toISOString() };
      this._emitChanged();
    }
  }

  private async _act(
    action: PoolAction,
    pool: string,
    ask: () => Promise<PoolView>
  ): Promise<void> {
    if (this._pending.has(pool)) {
      return;
    }
    this._pending.set(pool, action);
    this._emitChanged();
    try {
      await this._settle(ask);
    } catch (error) {
      this._tellRefusal(action, pool, asApiError(error));
    } finally {
      this._pending.delete(pool);
      this._emitChanged();
    }
  }

  private async _settle(ask: () => Promise<PoolView>): Promise<void> {
    const before = this._pictures;
    const answer = await ask();
    // A picture that came meanwhile is newer than this answer, or will be followed by one that is.
    if (this._pictures === before) {
      this._pools = this._pools.map(pool => (pool.name === answer.name ? answer : pool));
    }
  }

  private _onPicture(_: IUpdates, picture: Picture): void {
    this._pictures += 1;
    this._show(picture.pools, picture.problem);
  }

  private _show(pools: readonly PoolView[], problem: Problem | null): void {
    this._pools = pools;
    this._problem = problem;
    this._availability = 'ready';
    this._ready.resolve();
    this._emitChanged();
  }

  private _onConnectedChanged(): void {
    this._emitChanged();
  }

  private _emitChanged(): void {
    if (!this._isDisposed) {
      this._changed.emit();
    }
  }

  private readonly _client: IClient;
  private readonly _updates: IUpdates;
  private readonly _tellRefusal: TellRefusal;
  private readonly _ready = new PromiseDelegate<void>();
  private readonly _changed = new Signal<IVmPools, void>(this);
  private readonly _pending = new Map<string, PoolAction>();
  private _availability: Availability = 'loading';
  private _pools: readonly PoolView[] = [];
  private _problem: Problem | null = null;
  private _pictures = 0;
  private _isDisposed = false;
}

export namespace VmPoolManager {
  export interface IOptions {
    readonly client: IClient;
    readonly updates: IUpdates;
    readonly tellRefusal: TellRefusal;
  }
}

/** No server extension here: JupyterLite, or Jupyter without us; a page in place of JSON means the same. */
function isMissing(refusal: ApiError): boolean {
  return (
    refusal.status === 404 || refusal.code === 'not-json' || refusal.code === 'unusable-answer'
  );
}
