import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';
import { Backoff } from '../api/backoff';
import type { ApiError } from '../api/error';
import { asApiError } from '../api/error';
import type { ConsoleAccess } from '../api/types';
import type { IDisplay, OpenDisplay } from './display';

/** Why a console is closed: the server refused, or has taken the VM away. */
export type Ending =
  { readonly kind: 'refused'; readonly refusal: ApiError } | { readonly kind: 'taken' };

export type ConsoleStatus =
  | { readonly state: 'connecting' }
  | { readonly state: 'connected' }
  | { readonly state: 'reconnecting'; readonly seconds: number }
  | { readonly state: 'closed'; readonly ending: Ending };

/** The server's close code for: the VM is no longer the user's. */
const NOT_YOURS = 4403;
/** For: the VM stopped, or its display ended. */
const DISPLAY_ENDED = 4409;
/** Answers that stay the same when one asks again. */
const FINAL = [401, 403, 404, 409, 422];
const SECOND = 1000;

/** Keeps a display open: after every loss with a new ticket, until the server says that it makes no sense. */
export class ConsoleConnection implements IDisposable {
  constructor(options: ConsoleConnection.IOptions) {
    this._askForTicket = options.askForTicket;
    this._loadDisplay = options.loadDisplay;
    this._backoff = options.backoff ?? new Backoff();
  }

  get status(): ConsoleStatus {
    return this._status;
  }

  get statusChanged(): ISignal<this, ConsoleStatus> {
    return this._statusChanged;
  }

  /** The VM that the last ticket was for. */
  get vm(): string | null {
    return this._vm;
  }

  get display(): IDisplay | null {
    return this._display;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Connect now, whatever has been before. */
  connect(): void {
    this._leave();
    this._setStatus({ state: 'connecting' });
    void this._attempt(this._attempts);
  }

  /** The person asked, or there is news: begin with short waits again. */
  reconnect(): void {
    this._backoff.reset();
    this._hasEnded = false;
    this.connect();
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._leave();
    Signal.clearData(this);
  }

  private async _attempt(attempt: number): Promise<void> {
    try {
      // First the code, then the ticket, which is good for ten seconds only.
      const open = await this._loadDisplay();
      const access = await this._askForTicket(this._hasEnded);
      if (this._attempts === attempt) {
        this._open(open, access);
      }
    } catch (error) {
      if (this._attempts === attempt) {
        this._onRefused(asApiError(error));
      }
    }
  }

  private _open(open: OpenDisplay, access: ConsoleAccess): void {
    this._vm = access.vm;
    this._display = open(access, {
      onConnected: () => this._onConnected(),
      onClosed: code => this._onClosed(code)
    });
  }

  private _onConnected(): void {
    this._backoff.succeeded();
    this._hasEnded = false;
    this._setStatus({ state: 'connected' });
  }

  private _onClosed(code: number): void {
    this._display = null;
    this._hasEnded ||= code === DISPLAY_ENDED && this._status.state === 'connected';
    if (code === NOT_YOURS) {
      this._close({ kind: 'taken' });
    } else {
      this._retryLater();
    }
  }

  private _onRefused(refusal: ApiError): void {
    if (FINAL.includes(refusal.status)) {
      this._close({ kind: 'refused', refusal });
    } else {
      this._retryLater();
    }
  }

  private _close(ending: Ending): void {
    this._leave();
    this._setStatus({ state: 'closed', ending });
  }

  private _retryLater(): void {
    this._leave();
    const due = Date.now() + this._backoff.next();
    const tell = (): void => {
      const left = due - Date.now();
      if (left <= 0) {
        this.connect();
      } else {
        this._setStatus({ state: 'reconnecting', seconds: Math.ceil(left / SECOND) });
        this._wait = setTimeout(tell, Math.min(left, SECOND));
      }
    };
    tell();
  }

  /** End the wait, the attempt and the display, whichever there is; their late news is not heard. */
  private _leave(): void {
    this._attempts += 1;
    clearTimeout(this._wait);
    this._display?.dispose();
    this._display = null;
  }

  private _setStatus(status: ConsoleStatus): void {
    this._status = status;
    this._statusChanged.emit(status);
  }

  private readonly _askForTicket: ConsoleConnection.IOptions['askForTicket'];
  private readonly _loadDisplay: () => Promise<OpenDisplay>;
  private readonly _backoff: Backoff;
  private readonly _statusChanged = new Signal<this, ConsoleStatus>(this);
  private _status: ConsoleStatus = { state: 'connecting' };
  private _vm: string | null = null;
  private _display: IDisplay | null = null;
  private _attempts = 0;
  /** The display ended, and with it a connection that was good. */
  private _hasEnded = false;
  private _wait: ReturnType<typeof setTimeout> | undefined;
  private _isDisposed = false;
}

export namespace ConsoleConnection {
  export interface IOptions {
    /** Asks for a ticket; `hasEnded` if a display ended that was connected, and nobody has asked for another since. */
    readonly askForTicket: (hasEnded: boolean) => Promise<ConsoleAccess>;
    /** Loads the code that can show displays. */
    readonly loadDisplay: () => Promise<OpenDisplay>;
    readonly backoff?: Backoff;
  }
}
