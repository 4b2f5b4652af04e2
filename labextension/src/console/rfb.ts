import type { ServerConnection } from '@jupyterlab/services';
import { displayAddress } from '../api/address';
import type { IDisplay, IDisplayEvents, OpenDisplay } from './display';

/** What we use of noVNC's RFB. */
export interface IRfb extends EventTarget {
  background: string;
  scaleViewport: boolean;
  showDotCursor: boolean;
  disconnect(): void;
  focus(): void;
  sendCtrlAltDel(): void;
}

export type RfbConstructor = new (
  target: HTMLElement,
  channel: WebSocket,
  options: { shared?: boolean; credentials?: { password: string } }
) => IRfb;

export async function loadRfb(): Promise<RfbConstructor> {
  return (await import('@novnc/novnc')).default;
}

/** How noVNC opens displays inside of a node. */
export function rfbDisplaysIn(
  node: HTMLElement,
  settings: ServerConnection.ISettings,
  Rfb: RfbConstructor
): OpenDisplay {
  return (access, events) => {
    const socket = new settings.WebSocket(displayAddress(settings, access));
    return new RfbDisplay(node, socket, Rfb, access.password, events);
  };
}

class RfbDisplay implements IDisplay {
  constructor(
    node: HTMLElement,
    socket: WebSocket,
    Rfb: RfbConstructor,
    password: string,
    private readonly _events: IDisplayEvents
  ) {
    // The socket's own event, since noVNC does not pass the code on.
    socket.addEventListener('close', event => this._onClosed(event.code));
    this._rfb = new Rfb(node, socket, { shared: true, credentials: { password } });
    this._rfb.background = 'black';
    this._rfb.scaleViewport = true;
    this._rfb.showDotCursor = true;
    this._rfb.addEventListener('connect', () => this._onConnected());
  }

  focus(): void {
    this._rfb.focus();
  }

  sendCtrlAltDel(): void {
    this._rfb.sendCtrlAltDel();
  }

  dispose(): void {
    if (!this._isOver) {
      this._isOver = true;
      this._rfb.disconnect();
    }
  }

  private _onConnected(): void {
    if (!this._isOver) {
      this._events.onConnected();
    }
  }

  private _onClosed(code: number): void {
    if (!this._isOver) {
      this._isOver = true;
      this._events.onClosed(code);
    }
  }

  private readonly _rfb: IRfb;
  private _isOver = false;
}
