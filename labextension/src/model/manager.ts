import { PromiseDelegate } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';
import type { IClient } from '../api/client';
import type { ApiError } from '../api/error';
import { asApiError } from '../api/error';
import type { IPoolTarget, Target } from '../api/target';
import { actionsOf, keyOf } from '../api/target';
import type {
  ConsoleAccess,
  Deed,
  Notice,
  OwnVmView,
  Picture,
  PoolAction,
  PoolView,
  Problem,
  UserAction,
  VmView
} from '../api/types';
import type { IUpdates } from '../api/updates';
import type { Availability, IVmPools } from '../tokens';

/** Tells the user that the server refused. */
export type TellRefusal = (action: UserAction, target: Target, refusal: ApiError) => void;

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

  get vms(): readonly OwnVmView[] {
    return this._vms;
  }

  get notices(): readonly Notice[] {
    return this._notices;
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

  view(target: Target): PoolView | OwnVmView | undefined {
    return 'pool' in target ? named(this._pools, target.pool) : named(this._vms, target.vm);
  }

  vm(target: Target): VmView | OwnVmView | undefined {
    return 'pool' in target
      ? (named(this._pools, target.pool)?.vm ?? undefined)
      : named(this._vms, target.vm);
  }

  pending(target: Target): PoolAction | undefined {
    return this._pending.get(keyOf(target));
  }

  allows(target: Target, action: PoolAction): boolean {
    const view = this.view(target);
    return view !== undefined && actionsOf(target).includes(action) && !view.why[action];
  }

  async start(target: Target): Promise<void> {
    await this._act('start', target);
  }

  async stop(target: Target): Promise<void> {
    await this._act('stop', target);
  }

  async reset(target: Target): Promise<void> {
    await this._act('reset', target);
  }

  async release(target: IPoolTarget): Promise<void> {
    await this._act('release', target);
  }

  async openConsole(target: Target): Promise<ConsoleAccess> {
    return this._client.openConsole(target);
  }

  /** The only requests for pools and VMs there are; from then on the socket tells. */
  private async _begin(): Promise<void> {
    try {
      const [pools, vms] = await Promise.all([this._client.pools(), this._client.vms()]);
      this._show({ pools, vms, notices: [], problem: null });
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

  private async _act(deed: Deed, target: Target): Promise<void> {
    const key = keyOf(target);
    if (this._pending.has(key)) {
      return;
    }
    this._pending.set(key, deed);
    this._emitChanged();
    try {
      await this._settle(deed, target);
    } catch (error) {
      this._tellRefusal(deed, target, asApiError(error));
    } finally {
      this._pending.delete(key);
      this._emitChanged();
    }
  }

  private async _settle(deed: Deed, target: Target): Promise<void> {
    const before = this._pictures;
    const showAnswer = await this._ask(deed, target);
    // A picture that came meanwhile is newer than this answer, or will be followed by one that is.
    if (this._pictures === before) {
      showAnswer();
    }
  }

  private async _ask(deed: Deed, target: Target): Promise<() => void> {
    if ('pool' in target) {
      const pool = await this._client.actOnPool(target.pool, deed);
      return () => (this._pools = withAnswer(this._pools, pool));
    }
    const vm = await this._client.actOnVm(target.vm, deed);
    return () => (this._vms = withAnswer(this._vms, vm));
  }

  private _onPicture(_: IUpdates, picture: Picture): void {
    this._pictures += 1;
    this._show(picture);
  }

  private _show({ pools, vms, notices, problem }: Omit<Picture, 'revision'>): void {
    this._pools = pools;
    this._vms = vms;
    this._notices = notices;
    this._problem = problem;
    this._availability = 'ready';
    this._ready.resolve();
    this._emitChanged();
  }

  private _onConnectedChanged(): void {
    this._emitChanged();
    if (!this._updates.connected) {
      void this._askWhy();
    }
  }

  /** A socket does not tell why it cannot be opened again; a server that is there does. */
  private async _askWhy(): Promise<void> {
    const before = this._pictures;
    try {
      await this._client.health();
    } catch (error) {
      if (this._pictures === before) {
        this._showProblem(asApiError(error));
      }
    }
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
  private _vms: readonly OwnVmView[] = [];
  private _notices: readonly Notice[] = [];
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

interface INamed {
  readonly name: string;
}

function named<T extends INamed>(views: readonly T[], name: string): T | undefined {
  return views.find(view => view.name === name);
}

function withAnswer<T extends INamed>(views: readonly T[], answer: T): readonly T[] {
  return views.map(view => (view.name === answer.name ? answer : view));
}

/** No server extension here: JupyterLite, or Jupyter without us; a page in place of JSON means the same. */
function isMissing(refusal: ApiError): boolean {
  return (
    refusal.status === 404 || refusal.code === 'not-json' || refusal.code === 'unusable-answer'
  );
}
