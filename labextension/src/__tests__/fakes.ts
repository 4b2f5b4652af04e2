import { jest } from '@jest/globals';
import { ServerConnection } from '@jupyterlab/services';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';
import type { IClient } from '../api/client';
import type { IPoolTarget, Target } from '../api/target';
import { actionsOf } from '../api/target';
import type {
  ConsoleAccess,
  Deed,
  Health,
  Me,
  Notice,
  OwnVmView,
  Picture,
  PoolAction,
  PoolView,
  Problem,
  VmView
} from '../api/types';
import type { IUpdates } from '../api/updates';
import type { Availability, IVmPools } from '../tokens';
import { aConsole, anOwnVm, aPool } from './builders';

/** A socket that does what the test says. */
export class FakeSocket extends EventTarget {
  static all: FakeSocket[] = [];

  static get last(): FakeSocket {
    const last = FakeSocket.all.at(-1);
    if (!last) {
      throw new Error('No socket has been opened.');
    }
    return last;
  }

  constructor(readonly url: string) {
    super();
    FakeSocket.all.push(this);
  }

  close(): void {
    this.isClosed = true;
  }

  say(message: unknown): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  end(code: number): void {
    this.onclose?.();
    this.dispatchEvent(Object.assign(new Event('close'), { code }));
  }

  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;
  isClosed = false;
}

/** Settings that open fake sockets and answer requests with `fetch`. */
export function fakeSettings(
  given: Partial<ServerConnection.ISettings> = {}
): ServerConnection.ISettings {
  FakeSocket.all = [];
  return {
    ...ServerConnection.makeSettings({
      baseUrl: 'http://lab.example/user/ann/',
      wsUrl: 'ws://lab.example/user/ann/',
      appendToken: false,
      token: '',
      WebSocket: FakeSocket as unknown as typeof WebSocket
    }),
    ...given
  };
}

export class FakeUpdates implements IUpdates {
  readonly picture: Signal<IUpdates, Picture> = new Signal<IUpdates, Picture>(this);
  readonly connectedChanged: Signal<IUpdates, boolean> = new Signal<IUpdates, boolean>(this);
  readonly connect = jest.fn<() => void>();
  connected = true;
  isDisposed = false;

  show(picture: Picture): void {
    this.picture.emit(picture);
  }

  setConnected(connected: boolean): void {
    this.connected = connected;
    this.connectedChanged.emit(connected);
  }

  dispose(): void {
    this.isDisposed = true;
  }
}

export class FakeClient implements IClient {
  me = jest.fn<() => Promise<Me>>();
  health = jest.fn<() => Promise<Health>>();
  pools = jest.fn<() => Promise<readonly PoolView[]>>().mockResolvedValue([aPool()]);
  pool = jest.fn<(pool: string) => Promise<PoolView>>();
  vms = jest.fn<() => Promise<readonly OwnVmView[]>>().mockResolvedValue([]);
  actOnPool = jest.fn<(pool: string, deed: Deed) => Promise<PoolView>>().mockResolvedValue(aPool());
  actOnVm = jest.fn<(vm: string, deed: Deed) => Promise<OwnVmView>>().mockResolvedValue(anOwnVm());
  openConsole = jest.fn<(target: Target) => Promise<ConsoleAccess>>().mockResolvedValue(aConsole());
}

/** The model, as the test puts it. */
export class FakePools implements IVmPools {
  ready = Promise.resolve();
  availability: Availability = 'ready';
  connected = true;
  problem: Problem | null = null;
  pools: readonly PoolView[] = [];
  vms: readonly OwnVmView[] = [];
  notices: readonly Notice[] = [];
  waitingFor: PoolAction | undefined;
  start = jest.fn<(target: Target) => Promise<void>>().mockResolvedValue();
  stop = jest.fn<(target: Target) => Promise<void>>().mockResolvedValue();
  reset = jest.fn<(target: Target) => Promise<void>>().mockResolvedValue();
  release = jest.fn<(target: IPoolTarget) => Promise<void>>().mockResolvedValue();
  openConsole = jest.fn<(target: Target) => Promise<ConsoleAccess>>();

  get changed(): ISignal<IVmPools, void> {
    return this._changed;
  }

  show(...pools: PoolView[]): void {
    this.pools = pools;
    this._changed.emit();
  }

  showVms(...vms: OwnVmView[]): void {
    this.vms = vms;
    this._changed.emit();
  }

  setConnected(connected: boolean): void {
    this.connected = connected;
    this._changed.emit();
  }

  view(target: Target): PoolView | OwnVmView | undefined {
    return 'pool' in target
      ? this.pools.find(pool => pool.name === target.pool)
      : this.vms.find(vm => vm.name === target.vm);
  }

  vm(target: Target): VmView | OwnVmView | undefined {
    const view = this.view(target);
    return view && 'vm' in view ? (view.vm ?? undefined) : view;
  }

  pending(): PoolAction | undefined {
    return this.waitingFor;
  }

  allows(target: Target, action: PoolAction): boolean {
    const view = this.view(target);
    return view !== undefined && actionsOf(target).includes(action) && !view.why[action];
  }

  private readonly _changed = new Signal<IVmPools, void>(this);
}

/** Let everything happen that waits for nothing but its turn. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) {
    await Promise.resolve();
  }
}

/** Tells of sizes when the test says so: jsdom lays nothing out. */
export class FakeResizeObserver {
  static install(): void {
    FakeResizeObserver._all.clear();
    Object.assign(globalThis, { ResizeObserver: FakeResizeObserver });
  }

  static tell(node: Element): void {
    FakeResizeObserver._all.get(node)?.();
  }

  static isWatched(node: Element): boolean {
    return FakeResizeObserver._all.has(node);
  }

  constructor(private readonly _onResize: () => void) {}

  observe(node: Element): void {
    this._nodes.push(node);
    FakeResizeObserver._all.set(node, this._onResize);
  }

  disconnect(): void {
    this._nodes.forEach(node => FakeResizeObserver._all.delete(node));
  }

  private static readonly _all = new Map<Element, () => void>();
  private readonly _nodes: Element[] = [];
}
