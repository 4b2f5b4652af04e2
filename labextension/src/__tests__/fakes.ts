import { jest } from '@jest/globals';
import { ServerConnection } from '@jupyterlab/services';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';
import type { IClient } from '../api/client';
import type { ConsoleAccess, Health, Me, Picture, PoolAction, PoolView } from '../api/types';
import type { IUpdates } from '../api/updates';
import type { Availability, IVmPools } from '../tokens';
import { aConsole, aPool } from './builders';

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
  start = jest.fn<(pool: string) => Promise<PoolView>>().mockResolvedValue(aPool());
  stop = jest.fn<(pool: string) => Promise<PoolView>>().mockResolvedValue(aPool());
  reset = jest.fn<(pool: string) => Promise<PoolView>>().mockResolvedValue(aPool());
  release = jest.fn<(pool: string) => Promise<PoolView>>().mockResolvedValue(aPool());
  openConsole = jest.fn<(pool: string) => Promise<ConsoleAccess>>().mockResolvedValue(aConsole());
}

/** The model, as the test puts it. */
export class FakePools implements IVmPools {
  ready = Promise.resolve();
  availability: Availability = 'ready';
  connected = true;
  problem = null;
  pools: readonly PoolView[] = [];
  waitingFor: PoolAction | undefined;
  start = jest.fn<(pool: string) => Promise<void>>();
  stop = jest.fn<(pool: string) => Promise<void>>();
  reset = jest.fn<(pool: string) => Promise<void>>();
  release = jest.fn<(pool: string) => Promise<void>>();
  openConsole = jest.fn<(pool: string) => Promise<ConsoleAccess>>();

  get changed(): ISignal<IVmPools, void> {
    return this._changed;
  }

  show(...pools: PoolView[]): void {
    this.pools = pools;
    this._changed.emit();
  }

  setConnected(connected: boolean): void {
    this.connected = connected;
    this._changed.emit();
  }

  pool(name: string): PoolView | undefined {
    return this.pools.find(pool => pool.name === name);
  }

  pending(): PoolAction | undefined {
    return this.waitingFor;
  }

  allows(pool: string, action: PoolAction): boolean {
    const view = this.pool(pool);
    return view !== undefined && !view.why[action];
  }

  private readonly _changed = new Signal<IVmPools, void>(this);
}

/** Let everything happen that waits for nothing but its turn. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) {
    await Promise.resolve();
  }
}
