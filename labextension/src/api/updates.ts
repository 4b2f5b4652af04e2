import type { ServerConnection } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';
import { updatesAddress } from './address';
import { Backoff } from './backoff';
import type { Picture } from './types';

/** The live picture. */
export interface IUpdates extends IDisposable {
  readonly picture: ISignal<IUpdates, Picture>;
  /** False from a loss until the next picture. */
  readonly connected: boolean;
  readonly connectedChanged: ISignal<IUpdates, boolean>;
  /** Begin to listen, and keep at it. */
  connect(): void;
}

/** The socket `updates`: every message is the whole picture, so a lost one costs nothing. */
export class Updates implements IUpdates {
  constructor(
    private readonly _settings: ServerConnection.ISettings,
    private readonly _backoff = new Backoff()
  ) {}

  get picture(): ISignal<IUpdates, Picture> {
    return this._picture;
  }

  get connected(): boolean {
    return this._connected;
  }

  get connectedChanged(): ISignal<IUpdates, boolean> {
    return this._connectedChanged;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  connect(): void {
    document.addEventListener('visibilitychange', this._onVisibilityChange);
    window.addEventListener('online', this._onOnline);
    this._open();
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    document.removeEventListener('visibilitychange', this._onVisibilityChange);
    window.removeEventListener('online', this._onOnline);
    this._abandon();
    Signal.clearData(this);
  }

  private _open(): void {
    this._abandon();
    const socket = new this._settings.WebSocket(updatesAddress(this._settings));
    socket.onmessage = event => this._onMessage(event);
    socket.onclose = () => this._onClose();
    this._socket = socket;
  }

  /** Leave the socket and the wait, whichever there is, without a sound. */
  private _abandon(): void {
    clearTimeout(this._wait);
    this._wait = undefined;
    if (this._socket) {
      this._socket.onmessage = this._socket.onclose = null;
      this._socket.close();
      this._socket = null;
    }
  }

  private _onMessage(event: MessageEvent): void {
    const picture = parsePicture(event.data);
    if (picture) {
      this._backoff.succeeded();
      this._picture.emit(picture);
      this._setConnected(true);
    }
  }

  private _onClose(): void {
    this._socket = null;
    this._wait = setTimeout(() => this._onWaited(), this._backoff.next());
    this._setConnected(false);
  }

  private _onWaited(): void {
    this._wait = undefined;
    // Nobody looks: wait until somebody does.
    if (!document.hidden) {
      this._open();
    }
  }

  private readonly _onVisibilityChange = (): void => {
    if (!document.hidden && !this._socket) {
      this._openAtOnce();
    }
  };

  private readonly _onOnline = (): void => {
    // A socket from before the network went may look open for minutes.
    this._openAtOnce();
  };

  private _openAtOnce(): void {
    this._backoff.reset();
    this._open();
  }

  private _setConnected(connected: boolean): void {
    if (this._connected !== connected) {
      this._connected = connected;
      this._connectedChanged.emit(connected);
    }
  }

  private readonly _picture = new Signal<IUpdates, Picture>(this);
  private readonly _connectedChanged = new Signal<IUpdates, boolean>(this);
  private _connected = true;
  private _isDisposed = false;
  private _socket: WebSocket | null = null;
  private _wait: ReturnType<typeof setTimeout> | undefined;
}

function parsePicture(data: unknown): Picture | null {
  if (typeof data !== 'string') {
    return null;
  }
  try {
    const picture = JSON.parse(data) as Partial<Picture> | null;
    // A server from before these two were told has none.
    const { vms = [], notices = [] } = picture ?? {};
    return Array.isArray(picture?.pools) ? { ...(picture as Picture), vms, notices } : null;
  } catch {
    return null;
  }
}
